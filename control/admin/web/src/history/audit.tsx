import { useState } from 'preact/hooks';
import { useResource } from '../api/hooks';
import type { AuditEntry } from '../api/types';
import { link } from '../app/router';
import { t } from '../i18n';
import { Badge, Card, Empty, Note, Page, Search, Skeleton, Table, Time, type Column } from '../ui';

function readable(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Audit is who did what, and who tried to. */
export default function Audit() {
  const { data, error, loading } = useResource<{ entries: AuditEntry[] | null }>('/audit?limit=500', 10_000);
  const [text, setText] = useState('');
  const rows = (data?.entries ?? []).filter((e) => `${e.user} ${e.addr} ${e.path} ${e.what} ${e.result}`.toLowerCase().includes(text.trim().toLowerCase()));
  const columns: Column<AuditEntry>[] = [
    { id: 'at', head: t('ledger.at'), main: true, cell: (e) => <Time at={e.at} exact /> },
    { id: 'user', head: t('login.user'), cell: (e) => e.user },
    { id: 'how', head: t('audit.how'), cell: (e) => <Badge>{e.how}</Badge> },
    { id: 'addr', head: t('backend.address'), cell: (e) => (e.addr ? <span class="mono">{e.addr}</span> : '') },
    { id: 'path', full: true, head: t('audit.request'), cell: (e) => <code class="small">{e.method} {readable(e.path)}</code> },
    { id: 'what', full: true, head: t('audit.what'), cell: (e) => (e.what ? <span class="small">{e.what}</span> : '') },
    { id: 'result', full: true, head: t('ledger.result'), cell: (e) => (e.version ? <a href={link('/history', { version: e.version })}>{e.result}</a> : <span class="small">{e.result}</span>) },
  ];
  return (
    <Page title={t('nav.audit')} lead={t('audit.lead')}>
      {error && <Note tone="bad">{error.message}</Note>}
      <Search value={text} onInput={setText} label={t('common.search')} />
      <Card pad={false}>
        {loading ? <div style={{ padding: 'var(--s4)' }}><Skeleton /></div> : <Table caption={t('nav.audit')} columns={columns} rows={rows} rowKey={(e) => `${e.at} ${e.path} ${e.user}`} empty={<Empty icon="user" title={t('audit.none')} />} />}
      </Card>
    </Page>
  );
}
