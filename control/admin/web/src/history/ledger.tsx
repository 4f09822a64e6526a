import { useResource } from '../api/hooks';
import type { Ledger, LedgerRecord } from '../api/types';
import { t } from '../i18n';
import { Badge, Card, Empty, millis, Note, Page, Skeleton, Table, Time, type Column } from '../ui';

/** took prints nanoseconds. */
export function took(ns: number): string {
  return ns > 0 ? millis(ns / 1e6) : '–';
}

export function Result({ record: r }: { record: LedgerRecord }) {
  const tone = r.result === 'done' ? 'ok' : r.result === 'under way' || r.draining > 0 ? 'warn' : 'bad';
  return (
    <span class="row wrap">
      <Badge tone={tone} title={r.reason}>{r.result}</Badge>
      {r.draining > 0 && <Badge tone="warn">{t('ledger.draining', { n: r.draining })}</Badge>}
    </span>
  );
}

const why = (r: LedgerRecord) => Object.entries(r.cut_why ?? {}).map(([k, n]) => `${k} ${n}`).join(', ');

/** LedgerPage is every operation, and what became of the connections by it. */
export default function LedgerPage() {
  const { data, error, loading } = useResource<Ledger>('/ledger', 5000);
  const rows = [...(data?.records ?? [])].reverse();
  const columns: Column<LedgerRecord>[] = [
    { id: 'at', head: t('ledger.at'), main: true, cell: (r) => <Time at={r.at} exact /> },
    { id: 'kind', head: t('ledger.kind'), cell: (r) => r.kind },
    { id: 'result', head: t('ledger.result'), cell: (r) => <Result record={r} /> },
    { id: 'version', head: t('health.version'), cell: (r) => <span class="num nowrap">{r.from && r.from !== r.to ? `${r.from} → ${r.to}` : r.to}</span> },
    { id: 'took', head: t('ledger.took'), right: true, cell: (r) => took(r.took) },
    { id: 'connections', head: t('ledger.connections'), right: true, cell: (r) => r.connections },
    { id: 'after', head: t('ledger.after'), right: true, cell: (r) => r.after_answer },
    { id: 'idle', head: t('ledger.idle'), right: true, cell: (r) => r.idle },
    { id: 'moved', head: t('ledger.moved'), right: true, cell: (r) => r.moved },
    { id: 'cut', head: t('ledger.cutonly'), right: true, cell: (r) => <span title={why(r)} style={r.cut ? { color: 'var(--bad)' } : undefined}>{r.cut}</span> },
    { id: 'refused', head: t('ledger.refused'), right: true, cell: (r) => <span style={r.refused ? { color: 'var(--bad)' } : undefined}>{r.refused}</span> },
    { id: 'wait', head: t('ledger.wait'), right: true, cell: (r) => took(r.longest_wait) },
    { id: 'by', full: true, head: t('ledger.by'), cell: (r) => <span class="small">{[r.by, r.reason].filter(Boolean).join(': ')}</span> },
  ];
  return (
    <Page title={t('nav.ledger')} lead={t('ledger.lead')}>
      {error && <Note tone="bad">{error.message}</Note>}
      <Card pad={false}>
        {loading ? <div style={{ padding: 'var(--s4)' }}><Skeleton /></div> : <Table caption={t('nav.ledger')} columns={columns} rows={rows} rowKey={(r) => r.id} empty={<Empty icon="book" title={t('ledger.none')} />} />}
      </Card>
    </Page>
  );
}
