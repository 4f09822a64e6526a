import { useResource } from '../api/hooks';
import type { Certificate, Inventory } from '../api/types';
import { link } from '../app/router';
import { t } from '../i18n';
import { Badge, Card, CopyButton, Empty, LinkButton, Note, Page, Skeleton, Table, Time, type Column } from '../ui';
import { known } from '../ui/time';
import { Days } from './days';

/** Validity is every certificate: until when, where from, and what keeps a CA from giving the next one. */
export default function Validity() {
  const { data, error, loading } = useResource<Inventory>('/inventory', 15_000);
  const columns: Column<Certificate>[] = [
    { id: 'name', head: t('common.name'), main: true, sort: (c) => c.name, cell: (c) => <a href={link('/certificates', { name: c.name })}>{c.name}</a> },
    { id: 'days', head: t('certs.left'), sort: (c) => c.days_left, cell: (c) => <Days certificate={c} /> },
    { id: 'until', full: true, head: t('certs.until'), sort: (c) => c.not_after ?? '', cell: (c) => <Time at={c.not_after} exact /> },
    { id: 'domains', full: true, head: t('certs.domains'), cell: (c) => <span class="small">{c.domains?.join(', ')}</span> },
    { id: 'source', full: true, head: t('certs.source'), sort: (c) => c.source, cell: (c) => <Source c={c} /> },
    { id: 'issuer', full: true, head: t('certs.issuer'), cell: (c) => <span class="small">{[c.issuer, c.key_type].filter(Boolean).join(' · ')}</span> },
    { id: 'problem', full: true, head: t('certs.problem'), cell: (c) => <Problem c={c} /> },
  ];
  return (
    <Page title={t('nav.validity')} lead={t('certs.lead')}>
      {error && <Note tone="bad">{error.message}</Note>}
      {data?.problem && <Note tone="warn">{data.problem}</Note>}
      <Card pad={false}>
        {loading ? (
          <div style={{ padding: 'var(--s4)' }}><Skeleton /></div>
        ) : (
          <Table caption={t('nav.certificates')} columns={columns} rows={data?.certificates ?? []} rowKey={(c) => c.name} sortBy="days"
            empty={<Empty icon="shield" title={t('certs.none')} action={<LinkButton href="#/certificates?name=*">{t('dash.create')}</LinkButton>}>{t('certs.none.text')}</Empty>} />
        )}
      </Card>
    </Page>
  );
}

function Source({ c }: { c: Certificate }) {
  return (
    <span class="row wrap">
      <Badge>{t(`certs.source.${c.source}`)}</Badge>
      {c.ca && <Badge tone="info">CA</Badge>}
      {c.path && <code class="small">{c.path}</code>}
    </span>
  );
}

function Problem({ c }: { c: Certificate }) {
  return (
    <div class="small">
      {c.last_error && <p style={{ color: 'var(--bad)' }}>{c.last_error}</p>}
      {known(c.next_attempt) && <p class="muted">{t('certs.next')} <Time at={c.next_attempt} /></p>}
      {c.needs?.map((n) => (
        <p class="row">
          <code>{n.name} TXT {n.value}</code>
          <CopyButton text={n.value} />
        </p>
      ))}
    </div>
  );
}
