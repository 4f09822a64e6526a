import { useState } from 'preact/hooks';
import { ApiError, post } from '../api/client';
import { forget, useResource } from '../api/hooks';
import type { Applied, Preview, Version, Versions } from '../api/types';
import { useInstance, useMayEdit } from '../app/instance';
import { link, navigate, useRoute } from '../app/router';
import { t } from '../i18n';
import { Badge, Button, bytes, Card, CopyButton, Dialog, Empty, failed, Note, Page, Select, Skeleton, Table, Tabs, Time, toast, type Column } from '../ui';
import { ClassBadge, Cost, TextDiff, TypedDiff } from '../ui/diff';

/** History is every configuration that was live: looked at, compared, made live again. */
export default function History() {
  const versions = useResource<Versions>('/versions', 5000);
  const query = useRoute().query;
  const open = query.get('version');
  const [back, setBack] = useState<Version | null>(null);
  const live = versions.data?.live ?? 0;
  const list = [...(versions.data?.versions ?? [])].sort((a, b) => b.version - a.version);
  const one = list.find((v) => String(v.version) === open);
  const columns: Column<Version>[] = [
    { id: 'version', head: t('health.version'), main: true, cell: (v) => <Number v={v} live={live} /> },
    { id: 'at', head: t('ledger.at'), cell: (v) => <Time at={v.at} /> },
    { id: 'by', head: t('ledger.by'), cell: (v) => <span class="small">{v.by}</span> },
    { id: 'changes', full: true, head: t('history.changes'), cell: (v) => (v.changes?.length ? <Changes v={v} /> : '') },
    { id: 'size', head: t('history.size'), right: true, wide: true, cell: (v) => bytes(v.size) },
    { id: 'do', full: true, head: '', label: t('history.actions'), right: true, cell: (v) => (v.version === live ? '' : <Actions v={v} back={setBack} />) },
  ];
  return (
    <Page title={t('nav.history')} lead={t('history.lead')}>
      {versions.error && <Note tone="bad">{versions.error.message}</Note>}
      {one && <Compare key={one.version} version={one} live={live} all={list} />}
      <Card pad={false}>
        {versions.loading ? <div style={{ padding: 'var(--s4)' }}><Skeleton /></div> : <Table caption={t('nav.history')} columns={columns} rows={list} rowKey={(v) => v.version} onOpen={(v) => navigate(link('/history', { version: v.version }))} empty={<Empty icon="clock" title={t('history.none')}>{t('history.none.text')}</Empty>} />}
      </Card>
      {back && <Rollback version={back} close={() => setBack(null)} done={versions.reload} />}
    </Page>
  );
}

function Number({ v, live }: { v: Version; live: number }) {
  return (
    <span class="row wrap">
      <a class="num" href={link('/history', { version: v.version })}>{v.version}</a>
      {v.version === live && <Badge tone="ok" dot>{t('history.live')}</Badge>}
      {v.rollback_of ? <Badge tone="info">{t('history.again', { n: v.rollback_of })}</Badge> : null}
    </span>
  );
}

function Changes({ v }: { v: Version }) {
  const changes = v.changes ?? [];
  return (
    <span class="row wrap small" style={{ justifyContent: 'inherit' }}>
      {changes.slice(0, 3).map((c) => (
        <span class="row" style={{ gap: '4px' }}><span class="mono">{c.object}</span><ClassBadge cls={c.class} /></span>
      ))}
      {changes.length > 3 && <span class="muted">+{changes.length - 3}</span>}
    </span>
  );
}

function Actions({ v, back }: { v: Version; back: (v: Version) => void }) {
  const mayEdit = useMayEdit();
  const { panel_only: alone } = useInstance();
  return (
    <span class="row" style={{ justifyContent: 'flex-end' }}>
      <Button small kind="quiet" onClick={() => navigate(link('/history', { version: v.version }))}>{t('history.compare')}</Button>
      {mayEdit && !alone && <Button small icon="undo" onClick={() => back(v)}>{t('history.rollback')}</Button>}
    </span>
  );
}

type View = 'typed' | 'text' | 'toml';

/** Compare shows one version beside another, and as it was written. */
function Compare({ version, live, all }: { version: Version; live: number; all: Version[] }) {
  const [view, setView] = useState<View>('typed');
  const before = all.find((v) => v.version < version.version)?.version;
  const [to, setTo] = useState(version.version === live ? (before ?? live) : live);
  const diff = useResource<Preview>(to === version.version ? null : `/versions/${version.version}/diff?to=${to}`);
  const toml = useResource<{ version: number; toml: string }>(view === 'toml' ? `/versions/${version.version}` : null);
  const options = all.filter((v) => v.version !== version.version).map((v) => ({ value: String(v.version), label: `${t('health.version')} ${v.version}${v.version === live ? ` (${t('history.live')})` : ''}` }));
  const actions = (
    <>
      {options.length > 0 && (
        <label class="row small">
          <span class="muted nowrap only-wide">{t('history.to')}</span>
          <Select small options={options} value={String(to)} onChange={(e) => setTo(parseInt(e.currentTarget.value, 10))} aria-label={t('history.to')} />
        </label>
      )}
      <Button small kind="quiet" icon="close" onClick={() => navigate(link('/history'))}>{t('common.close')}</Button>
    </>
  );
  return (
    <Card title={`${t('health.version')} ${version.version}`} actions={actions}>
      <Tabs label={t('history.compare')} value={view} onChange={setView} options={[{ value: 'typed', label: t('diff.keys', { n: diff.data?.changes?.length ?? 0 }) }, { value: 'text', label: t('diff.text') }, { value: 'toml', label: 'TOML' }]} />
      <div style={{ paddingTop: 'var(--s3)' }}>
        {view === 'toml' ? <Toml resource={toml} /> : diff.error ? <Note tone="bad">{diff.error.message}</Note> : diff.data ? <Diff preview={diff.data} view={view} /> : to === version.version ? <Note>{t('history.only')}</Note> : <Skeleton />}
      </div>
    </Card>
  );
}

function Toml({ resource }: { resource: { data?: { toml: string }; error?: ApiError } }) {
  if (resource.error) return <Note tone="bad">{resource.error.message}</Note>;
  if (!resource.data) return <Skeleton lines={8} />;
  return (
    <div class="stack tight">
      <div><CopyButton text={resource.data.toml} /></div>
      <pre class="code" tabIndex={0} aria-label="TOML">{resource.data.toml}</pre>
    </div>
  );
}

function Diff({ preview, view }: { preview: Preview; view: View }) {
  if ((preview.changes ?? []).length === 0) return <Note tone="ok">{t('diff.same')}</Note>;
  return view === 'typed' ? <TypedDiff changes={preview.changes} /> : <TextDiff text={preview.text} />;
}

/** Rollback shows what making a version live again would change and cost, and does it. */
function Rollback({ version, close, done }: { version: Version; close: () => void; done: () => Promise<void> }) {
  const [preview, setPreview] = useState<Preview>();
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  useOnce(() => {
    post<Preview>(`/versions/${version.version}/rollback`, { dryRun: true }).then(({ data }) => setPreview(data), (e: Error) => setError(e.message));
  });
  const apply = async () => {
    setBusy(true);
    try {
      const { data } = await post<Applied>(`/versions/${version.version}/rollback`);
      forget();
      toast('ok', t('history.isback', { n: version.version, now: data.version, ms: Math.round(data.took_ms) }));
      close();
      await done();
    } catch (e) {
      setError((e as Error).message);
      failed(e);
    } finally {
      setBusy(false);
    }
  };
  const footer = (
    <>
      <Button onClick={close}>{t('common.cancel')}</Button>
      <Button kind="primary" icon="undo" busy={busy} disabled={!preview} onClick={apply}>{t('history.rollback')}</Button>
    </>
  );
  return (
    <Dialog wide title={t('history.rollback.title', { n: version.version })} onClose={close} footer={footer}>
      <div class="stack">
        {error && <Note tone="bad">{error}</Note>}
        {preview && <Cost cls={preview.class} />}
        {preview?.warnings?.map((w) => <Note tone="warn">{w}</Note>)}
        {preview ? <Diff preview={preview} view="typed" /> : !error && <Skeleton />}
        {preview?.text && <details><summary>{t('diff.text')}</summary><TextDiff text={preview.text} /></details>}
      </div>
    </Dialog>
  );
}

function useOnce(f: () => void) {
  useState(() => f());
}
