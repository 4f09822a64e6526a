import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { useResource } from '../api/hooks';
import type { Inventory, Ledger, Live, LiveBackend, LiveLocation, LiveProcess, LiveUpstream } from '../api/types';
import { link } from '../app/router';
import { useStore } from '../app/store';
import { Days } from '../certs/days';
import { Result, took } from '../history/ledger';
import { t } from '../i18n';
import { Badge, bytes, Card, count, Empty, LinkButton, millis, percent, Skeleton, span, Table, Time, type Column } from '../ui';
import { Spark } from '../ui/spark';
import { rates } from './live';

function Waiting({ title }: { title: string }) {
  return (
    <Card title={title}>
      <Skeleton />
    </Card>
  );
}

function More({ n }: { n?: number }) {
  return n ? <p class="muted small" style={{ padding: 'var(--s2) var(--s4)' }}>{t('dash.more', { n })}</p> : null;
}

function Trend({ name }: { name: string }) {
  return <Spark values={useStore(rates).get(name) ?? []} />;
}

function Errors({ n }: { n: number | null }) {
  return <span style={n ? { color: 'var(--bad)' } : undefined}>{count(n, 2)}</span>;
}

function locationColumns(): Column<LiveLocation>[] {
  return [
    { id: 'name', head: t('common.name'), main: true, sort: (l) => l.name, cell: (l) => <a href={link('/locations', { name: l.name })}>{l.name}</a> },
    { id: 'trend', head: '', label: t('dash.trend'), wide: true, cell: (l) => <Trend name={`location:${l.name}`} /> },
    { id: 'rps', head: t('dash.rps'), right: true, sort: (l) => l.rps ?? 0, cell: (l) => count(l.rps) },
    { id: 'err', head: t('dash.errors'), right: true, sort: (l) => l.errors_per_s ?? 0, cell: (l) => <Errors n={l.errors_per_s} /> },
    { id: 'p50', head: 'p50', right: true, sort: (l) => l.p50_ms ?? 0, cell: (l) => millis(l.p50_ms) },
    { id: 'p99', head: 'p99', right: true, sort: (l) => l.p99_ms ?? 0, cell: (l) => millis(l.p99_ms) },
    { id: 'now', head: t('dash.now'), right: true, wide: true, sort: (l) => l.processing, cell: (l) => l.processing },
  ];
}

/** LocationTable is the traffic of each location, the busiest first. */
export function LocationTable({ live }: { live: Live }) {
  const columns = useMemo(locationColumns, []);
  return (
    <Card title={t('nav.locations')} pad={false}>
      <Table caption={t('nav.locations')} columns={columns} rows={live.locations} rowKey={(l) => l.name} sortBy="rps" descending most={20}
        empty={<Empty icon="branch" title={t('dash.nolocations')} action={<LinkButton href="#/locations?name=*">{t('dash.create')}</LinkButton>}>{t('dash.nolocations.text')}</Empty>} />
      <More n={live.more_locations} />
    </Card>
  );
}

function upstreamColumns(): Column<LiveUpstream>[] {
  return [
    { id: 'name', head: t('common.name'), main: true, sort: (u) => u.name, cell: (u) => <a href={link('/upstreams', { name: u.name })}>{u.name}</a> },
    { id: 'trend', head: '', label: t('dash.trend'), wide: true, cell: (u) => <Trend name={`upstream:${u.name}`} /> },
    { id: 'rps', head: t('dash.rps'), right: true, sort: (u) => u.rps ?? 0, cell: (u) => count(u.rps) },
    { id: 'err', head: t('dash.errors'), right: true, sort: (u) => u.errors_per_s ?? 0, cell: (u) => <Errors n={u.errors_per_s} /> },
    { id: 'p50', head: 'p50', right: true, sort: (u) => u.p50_ms ?? 0, cell: (u) => millis(u.p50_ms) },
    { id: 'p99', head: 'p99', right: true, sort: (u) => u.p99_ms ?? 0, cell: (u) => millis(u.p99_ms) },
    { id: 'health', head: t('dash.healthy'), right: true, sort: (u) => u.healthy / Math.max(1, u.total), cell: (u) => <Badge tone={u.total === 0 ? 'mute' : u.healthy === u.total ? 'ok' : u.healthy ? 'warn' : 'bad'}>{u.healthy}/{u.total}</Badge> },
  ];
}

/** UpstreamTable is the traffic of each upstream, with how many of its backends are healthy. */
export function UpstreamTable({ live }: { live: Live }) {
  const columns = useMemo(upstreamColumns, []);
  return (
    <Card title={t('nav.upstreams')} pad={false}>
      <Table caption={t('nav.upstreams')} columns={columns} rows={live.upstreams} rowKey={(u) => u.name} sortBy="rps" descending most={20}
        empty={<Empty icon="layers" title={t('dash.noupstreams')} action={<LinkButton href="#/upstreams?name=*">{t('dash.create')}</LinkButton>} />} />
      <More n={live.more_upstreams} />
    </Card>
  );
}

type BackendRow = LiveBackend & { upstream: string };

/** BackendState is health and what is wanted of a backend, in one badge. */
export function BackendState({ healthy, state }: { healthy: boolean; state: string }) {
  if (state !== 'up' && state !== 'half-open') return <Badge tone={state === 'drain' ? 'info' : state === 'absent' || state === 'down' ? 'mute' : 'bad'} dot>{t(`backend.${state as 'drain'}`)}</Badge>;
  return (
    <Badge tone={healthy ? 'ok' : 'bad'} dot>
      {t(healthy ? 'backend.healthy' : 'backend.unhealthy')}
    </Badge>
  );
}

function backendColumns(): Column<BackendRow>[] {
  return [
    { id: 'addr', head: t('backend.address'), main: true, sort: (b) => b.addr, cell: (b) => <span class="mono">{b.addr}</span> },
    { id: 'upstream', head: t('dash.upstream'), sort: (b) => b.upstream, cell: (b) => <a href={link('/backends', { upstream: b.upstream })}>{b.upstream}</a> },
    { id: 'state', head: t('common.state'), cell: (b) => <BackendState healthy={b.healthy} state={b.state} /> },
    { id: 'since', head: t('backend.since'), cell: (b) => <Time at={b.since} /> },
    { id: 'error', full: true, head: t('backend.error'), cell: (b) => (b.last_error ? <span class="small" style={{ color: b.healthy ? undefined : 'var(--bad)' }}>{b.last_error}</span> : '') },
  ];
}

/** BackendTable shows those that are not as they should be first. */
export function BackendTable({ live }: { live: Live }) {
  const bad = (b: BackendRow) => (b.healthy && b.state === 'up' ? 1 : 0);
  const all = live.upstreams.flatMap((u) => u.backends.map((b) => ({ ...b, upstream: u.name }))).sort((a, b) => bad(a) - bad(b));
  const rows = all.slice(0, 20);
  const columns = useMemo(backendColumns, []);
  return (
    <Card title={t('nav.backends')} pad={false} actions={<LinkButton small kind="quiet" href="#/backends">{t('dash.manage')}</LinkButton>}>
      <Table caption={t('nav.backends')} columns={columns} rows={rows} rowKey={(b) => `${b.upstream} ${b.addr}`} empty={<Empty icon="pulse" title={t('backend.none')}>{t('backend.none.text')}</Empty>} />
      <More n={all.length - rows.length} />
    </Card>
  );
}

export function processName(p: { kind: string; slot: number }): string {
  return p.kind === 'worker' ? `worker ${p.slot}` : p.kind;
}

function processColumns(): Column<LiveProcess>[] {
  return [
    { id: 'kind', head: t('dash.process'), main: true, cell: (p) => <span class="nowrap">{processName(p)} <span class="muted small num">{p.pid}</span></span> },
    { id: 'state', head: t('common.state'), cell: (p) => <Badge tone={p.state === 'active' || p.state === 'running' ? 'ok' : 'warn'}>{p.state}</Badge> },
    { id: 'cpu', head: 'CPU', right: true, sort: (p) => p.cpu_percent ?? 0, cell: (p) => percent(p.cpu_percent) },
    { id: 'memory', head: t('dash.memory'), right: true, sort: (p) => p.memory, cell: (p) => bytes(p.memory) },
    { id: 'connections', head: t('dash.connections'), right: true, cell: (p) => (p.kind === 'worker' ? count(p.connections) : '') },
    { id: 'up', head: t('dash.uptime'), right: true, wide: true, cell: (p) => span(p.uptime_ms) },
  ];
}

/** ProcessTable is CPU and memory per process. */
export function ProcessTable({ live }: { live: Live }) {
  const columns = useMemo(processColumns, []);
  return (
    <Card title={t('dash.processes')} pad={false} actions={<LinkButton small kind="quiet" href="#/workers">{t('dash.manage')}</LinkButton>}>
      <Table caption={t('dash.processes')} columns={columns} rows={live.processes} rowKey={(p) => p.pid} />
    </Card>
  );
}

export function CertificateTable({ data }: { data?: Inventory }) {
  if (!data) return <Waiting title={t('nav.certificates')} />;
  const columns: Column<Inventory['certificates'][number]>[] = [
    { id: 'name', head: t('common.name'), main: true, cell: (c) => c.name },
    { id: 'domains', full: true, head: t('certs.domains'), cell: (c) => <span class="small">{c.domains?.slice(0, 2).join(', ')}{c.domains?.length > 2 && ` +${c.domains.length - 2}`}</span> },
    { id: 'days', head: t('certs.left'), right: true, cell: (c) => <Days certificate={c} /> },
  ];
  const rows = [...data.certificates].sort((a, b) => a.days_left - b.days_left).slice(0, 8);
  return (
    <Card title={t('nav.certificates')} pad={false} actions={<LinkButton small kind="quiet" href="#/validity">{t('dash.all')}</LinkButton>}>
      <Table caption={t('nav.certificates')} columns={columns} rows={rows} rowKey={(c) => c.name} empty={<Empty icon="shield" title={t('certs.none')}>{t('certs.none.text')}</Empty>} />
    </Card>
  );
}

/** Applies are the last changes, and what became of the connections. */
export function Applies() {
  const { data } = useResource<Ledger>('/ledger', 15_000);
  if (!data) return <Waiting title={t('dash.applies')} />;
  const rows = [...(data.records ?? [])].reverse().slice(0, 6);
  const columns: Column<(typeof rows)[number]>[] = [
    { id: 'at', head: t('ledger.at'), main: true, cell: (r) => <Time at={r.at} /> },
    { id: 'kind', head: t('ledger.kind'), cell: (r) => r.kind },
    { id: 'result', head: t('ledger.result'), cell: (r) => <Result record={r} /> },
    { id: 'version', head: t('health.version'), cell: (r): ComponentChildren => <span class="num">{r.from && r.from !== r.to ? `${r.from} → ${r.to}` : r.to}</span> },
    { id: 'took', head: t('ledger.took'), right: true, cell: (r) => took(r.took) },
    { id: 'cut', head: t('ledger.cut'), right: true, cell: (r) => r.cut + r.refused },
    { id: 'by', head: t('ledger.by'), cell: (r) => <span class="small">{r.by}</span> },
  ];
  return (
    <Card title={t('dash.applies')} pad={false} actions={<LinkButton small kind="quiet" href="#/ledger">{t('dash.all')}</LinkButton>}>
      <Table caption={t('dash.applies')} columns={columns} rows={rows} rowKey={(r) => r.id} empty={<Empty icon="book" title={t('ledger.none')} />} />
    </Card>
  );
}
