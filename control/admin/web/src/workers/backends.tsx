import { useState } from 'preact/hooks';
import { mayWrite, post } from '../api/client';
import { useResource } from '../api/hooks';
import type { Backend, UpstreamList } from '../api/types';
import { link, navigate, useRoute } from '../app/router';
import { t } from '../i18n';
import { Badge, Button, Card, confirm, count, Empty, failed, LinkButton, Note, Page, Search, Segments, Skeleton, Switch, Table, Time, toast, type Column } from '../ui';

type Wish = 'up' | 'drain' | 'down';
type One = UpstreamList['upstreams'][number];

/** Backends is the health of every backend, and takes them out of service and back in. */
export default function Backends() {
  const { data, error, loading, reload } = useResource<UpstreamList>('/upstreams', 2000);
  const only = useRoute().query.get('upstream') ?? '';
  const [text, setText] = useState('');
  const [bad, setBad] = useState(false);
  const shown = (data?.upstreams ?? [])
    .filter((u) => !only || u.name === only)
    .map((u) => ({ ...u, backends: u.backends.filter((b) => matches(u, b, text) && (!bad || troubled(b))) }))
    .filter((u) => u.backends.length > 0 || (!text && !bad));
  return (
    <Page title={t('nav.backends')} lead={t('backend.lead')}>
      {error && <Note tone="bad">{error.message}</Note>}
      <div class="row wrap">
        <Search value={text} onInput={setText} label={t('backend.search')} />
        <Switch checked={bad} onChange={(e) => setBad(e.currentTarget.checked)}>{t('backend.onlybad')}</Switch>
        {only && <Button small icon="close" onClick={() => navigate(link('/backends'))}>{t('dash.upstream')}: {only}</Button>}
      </div>
      {loading && <Card><Skeleton lines={8} /></Card>}
      {shown.slice(0, 100).map((u) => <Upstream key={u.name} u={u} reload={reload} />)}
      {shown.length > 100 && <Note>{t('dash.more', { n: shown.length - 100 })}</Note>}
      {data && shown.length === 0 && (
        <Card><Empty icon="pulse" title={bad && !text ? t('backend.allwell') : t('backend.none')} action={data.upstreams.length === 0 && <LinkButton href="#/upstreams?name=*">{t('dash.create')}</LinkButton>}>{data.upstreams.length === 0 && t('backend.none.text')}</Empty></Card>
      )}
    </Page>
  );
}

function matches(u: One, b: Backend, text: string): boolean {
  return `${u.name} ${b.address} ${b.from} ${b.reason}`.toLowerCase().includes(text.trim().toLowerCase());
}

function troubled(b: Backend): boolean {
  return b.health === 'unhealthy' || b.health === 'absent' || b.admin !== 'up' || b.breaker === 'open' || b.breaker === 'half-open' || b.ejected_for > 0;
}

function Upstream({ u, reload }: { u: One; reload: () => Promise<void> }) {
  const well = u.backends.filter((b) => b.health !== 'unhealthy' && b.health !== 'absent').length;
  const title = (
    <span class="row">
      <a href={link('/upstreams', { name: u.name })}>{u.name}</a>
      <Badge tone={u.backends.length === 0 ? 'warn' : well === u.backends.length ? 'ok' : well ? 'warn' : 'bad'} dot>{well}/{u.backends.length}</Badge>
    </span>
  );
  const columns: Column<Backend>[] = [
    { id: 'address', width: '22%', head: t('backend.address'), main: true, sort: (b) => b.address, cell: (b) => <Address b={b} /> },
    { id: 'health', width: '13%', head: t('backend.health'), sort: (b) => b.health, cell: (b) => <Health b={b} /> },
    { id: 'since', width: '9%', head: t('backend.since'), cell: (b) => <Time at={b.checked} /> },
    { id: 'error', full: true, head: t('backend.error'), cell: (b) => (b.reason ? <span class="small">{b.reason}</span> : '') },
    { id: 'weight', width: '8%', head: t('backend.weight'), right: true, sort: (b) => b.weight, cell: (b) => (b.backup ? `${b.weight} · ${t('backend.backup')}` : b.weight) },
    { id: 'flight', width: '8%', head: t('backend.inflight'), right: true, sort: (b) => b.in_flight, cell: (b) => (b.in_flight < 0 ? '–' : count(b.in_flight)) },
    { id: 'requests', width: '9%', head: t('backend.requests'), right: true, wide: true, sort: (b) => b.requests, cell: (b) => <span title={t('backend.failures', { n: b.failures })}>{count(b.requests)}</span> },
    { id: 'wish', full: true, width: '190px', head: t('backend.service'), cell: (b) => <Service u={u} b={b} reload={reload} /> },
  ];
  return (
    <Card title={title} pad={false}>
      {u.problems.map((p) => <div style={{ padding: '0 var(--s4) var(--s3)' }}><Note tone="warn">{p}</Note></div>)}
      <Table caption={u.name} columns={columns} rows={u.backends} rowKey={(b) => b.address} empty={<Empty icon="pulse" title={t('backend.empty')} />} />
    </Card>
  );
}

function Address({ b }: { b: Backend }) {
  return (
    <span>
      <span class="mono">{b.address}</span>
      {b.from && b.from !== b.address && <span class="muted small"> {t('backend.from', { from: b.from })}</span>}
    </span>
  );
}

function Health({ b }: { b: Backend }) {
  const tone = b.health === 'healthy' ? 'ok' : b.health === 'unhealthy' ? 'bad' : 'mute';
  return (
    <span class="row wrap">
      <Badge tone={tone} dot>{t(`backend.${b.health}`)}</Badge>
      {(b.breaker === 'open' || b.breaker === 'half-open') && <Badge tone="bad">{t(`backend.${b.breaker}`)}</Badge>}
      {b.ejected_for > 0 && <Badge tone="bad">{t('backend.ejected')}</Badge>}
    </span>
  );
}

/** Service is what an operator wants of a backend; those who may change it have buttons for it. */
function Service({ u, b, reload }: { u: One; b: Backend; reload: () => Promise<void> }) {
  const by = b.admin !== 'up' && b.by ? t('backend.by', { by: b.by }) : undefined;
  if (!mayWrite()) return <Badge tone={b.admin === 'up' ? 'mute' : 'info'} title={by}>{t(`backend.${b.admin}`)}</Badge>;
  const set = async (to: Wish) => {
    if (to === b.admin) return;
    const others = u.backends.filter((x) => x !== b && x.admin === 'up' && x.health !== 'unhealthy').length;
    if (to !== 'up' && others === 0 && !(await confirm({ title: t('backend.last.title'), text: t('backend.last.text', { name: u.name }), yes: t(`backend.do.${to}`), danger: true }))) return;
    try {
      await post(`/upstreams/${encodeURIComponent(u.name)}/backends/${encodeURIComponent(b.address)}/${to}`);
      toast('ok', t(`backend.done.${to}`, { addr: b.address }), to === 'up' ? undefined : { label: t('common.undo'), run: () => void set('up') });
    } catch (e) {
      failed(e);
    }
    await reload();
  };
  return (
    <span title={by}>
      <Segments label={t('backend.service.of', { addr: b.address })} value={b.admin} onChange={(w: Wish) => void set(w)} options={[{ value: 'up', label: t('backend.do.up') }, { value: 'drain', label: t('backend.do.drain') }, { value: 'down', label: t('backend.do.down') }]} />
    </span>
  );
}
