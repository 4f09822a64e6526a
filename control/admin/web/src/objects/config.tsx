import { useState } from 'preact/hooks';
import { ApiError, get, post } from '../api/client';
import { forget, useResource } from '../api/hooks';
import type { Applied, Preview, Status } from '../api/types';
import { useInstance, useMayEdit } from '../app/instance';
import { navigate, useRoute, link } from '../app/router';
import { PreviewCard } from '../changes/preview';
import { TomlEditor } from '../forms/editor';
import { t } from '../i18n';
import { bytes, Button, Card, confirm, CopyButton, Empty, Note, Page, Skeleton, Tabs, toast } from '../ui';
import { Cost } from '../ui/diff';
import { Problems } from './editor';
import '../changes/changes.css';
import './objects.css';

type Texts = { original: string; full: string };
type Tab = 'original' | 'full' | 'import';

/** Config shows the whole configuration as text, and takes a text in. */
export default function Config() {
  const { query } = useRoute();
  const wanted = query.get('tab');
  const mayEdit = useMayEdit();
  const tab: Tab = wanted === 'full' || (wanted === 'import' && mayEdit) ? wanted : 'original';
  const options: { value: Tab; label: string }[] = [
    { value: 'original', label: t('config.original') },
    { value: 'full', label: t('config.full') },
    ...(mayEdit ? [{ value: 'import' as const, label: t('config.import') }] : []),
  ];
  return (
    <Page title={t('nav.config')} lead={t('config.lead')}>
      <Tabs value={tab} options={options} label={t('nav.config')} onChange={(v) => navigate(link('/config', { tab: v }), true)} />
      {tab === 'import' ? <Import /> : <Export which={tab} />}
    </Page>
  );
}

function Export({ which }: { which: 'original' | 'full' }) {
  const { data, error } = useResource<Texts>('/configs/full');
  if (error) return <Note tone="bad">{error.message}</Note>;
  if (!data) return <Skeleton lines={10} />;
  const text = data[which] ?? '';
  if (text.trim() === '') return <Empty title={t('config.empty')} />;
  return (
    <div class="stack">
      <p class="muted">{t(which === 'full' ? 'config.full_text' : 'config.original_text')}</p>
      <Card
        title={<span class="mono">pingap.toml</span>}
        actions={
          <>
            <span class="muted small num">{bytes(new TextEncoder().encode(text).length)}</span>
            <CopyButton text={text} />
            <Button small icon="download" onClick={() => save(text, which === 'full' ? 'pingap-full.toml' : 'pingap.toml')}>
              {t('config.download')}
            </Button>
          </>
        }
      >
        <pre class="code whole" tabIndex={0}>
          {text}
        </pre>
      </Card>
    </div>
  );
}

function save(text: string, name: string) {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/toml' }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  URL.revokeObjectURL(url);
}

const largest = 16 << 20;

function Import() {
  const { panel_only: alone } = useInstance();
  const [text, setText] = useState('');
  const [preview, setPreview] = useState<Preview | null>(null);
  const [etag, setEtag] = useState('');
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState<'' | 'look' | 'apply'>('');
  const change = (next: string) => {
    setText(next);
    setPreview(null);
    setError(null);
  };
  const run = async (what: 'look' | 'apply', work: () => Promise<void>) => {
    setBusy(what);
    setError(null);
    try {
      await work();
    } catch (err) {
      setError(err instanceof ApiError ? err : new ApiError(0, String(err)));
    } finally {
      setBusy('');
    }
  };
  const look = () =>
    run('look', async () => {
      const answer = await post<Preview>('/configs/import', { text, dryRun: true });
      setEtag(answer.data.base || answer.etag);
      setPreview(answer.data);
    });
  const gone = (preview?.changes ?? []).filter((c) => c.op === 'removed').length;
  const apply = async () => {
    if (gone > 0 && !(await confirm({ title: t('config.deletes', { n: gone }), text: t('config.import_text'), yes: t('config.apply'), danger: true }))) return;
    await run('apply', async () => {
      const { data } = await post<Applied | undefined>('/configs/import', { text, ifMatch: etag || undefined });
      forget();
      const version = data?.version ?? (await get<Status>('/status')).data.config.version;
      if (alone) toast('ok', t('draft.saved_text'));
      else toast('ok', t('config.imported', { version }), { label: t('nav.history'), run: () => navigate('#/history') });
      change('');
    });
  };
  return (
    <div class="stack">
      <p class="muted">{t('config.import_text')}</p>
      <Drop onText={change} onFail={(m) => setError(new ApiError(0, m))} />
      <TomlEditor text={text} label={t('config.import')} minRows={14} onText={change} />
      {error && (error.errors.length > 0 ? <Problems places={error.errors} /> : <Note tone="bad">{error.status === 412 ? t('config.moved') : error.message}</Note>)}
      {gone > 0 && <Note tone="warn">{t('config.deletes', { n: gone })}</Note>}
      {preview && <PreviewCard preview={preview} />}
      <div class="apply-row">
        <div class="grow">{preview && !alone && <Cost cls={preview.class} />}</div>
        <Button icon="eye" busy={busy === 'look'} disabled={text.trim() === ''} onClick={() => void look()}>
          {t('config.preview')}
        </Button>
        <Button kind="primary" icon="check" busy={busy === 'apply'} disabled={!preview || (alone ? preview.text === '' : preview.class === 'none')} onClick={() => void apply()}>
          {t(alone ? 'common.save' : 'config.apply')}
        </Button>
      </div>
    </div>
  );
}

function Drop({ onText, onFail }: { onText: (text: string) => void; onFail: (message: string) => void }) {
  const [over, setOver] = useState(false);
  const read = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > largest) onFail(t('config.too_large'));
    else onText(await file.text());
  };
  const drop = (e: DragEvent) => {
    e.preventDefault();
    setOver(false);
    void read(e.dataTransfer?.files[0]);
  };
  return (
    <label
      class={over ? 'drop over' : 'drop'}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <span>{t('config.drop')}</span>
      <input class="unseen" type="file" accept=".toml,text/plain" onChange={(e) => void read(e.currentTarget.files?.[0])} />
    </label>
  );
}
