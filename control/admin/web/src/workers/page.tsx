import { useState } from 'preact/hooks';
import { mayWrite, post } from '../api/client';
import { useResource } from '../api/hooks';
import type { Process, Status } from '../api/types';
import { t } from '../i18n';
import { processName } from '../dashboard/tables';
import { Badge, Button, bytes, Card, confirm, count, CopyButton, failed, Note, Page, Skeleton, span, Table, Time, toast, type Column } from '../ui';

/** Workers is the state of all processes, and rolls the workers. */
export default function Workers() {
  const { data, error, loading, reload } = useResource<Status>('/status', 2000);
  const [rolling, setRolling] = useState(false);
  const roll = async () => {
    if (!(await confirm({ title: t('roll.title'), text: t('roll.text'), yes: t('roll.do') }))) return;
    setRolling(true);
    try {
      await post('/workers/roll', { query: { wait: true } });
      toast('ok', t('roll.done'));
    } catch (e) {
      failed(e);
    } finally {
      setRolling(false);
      await reload();
    }
  };
  const actions = mayWrite() && <Button icon="refresh" busy={rolling} onClick={roll}>{t('roll.do')}</Button>;
  return (
    <Page title={t('nav.workers')} lead={t('workers.lead')} actions={actions}>
      {error && <Note tone="bad">{error.message}</Note>}
      {data?.degraded.map((d) => <Note tone="bad">{d}</Note>)}
      {data?.notes.map((n) => <Note tone="warn">{n}</Note>)}
      {loading || !data ? <Card><Skeleton lines={8} /></Card> : <All status={data} />}
    </Page>
  );
}

function All({ status }: { status: Status }) {
  return (
    <>
      <Card title={t('dash.processes')} pad={false}>
        <Table caption={t('dash.processes')} columns={processColumns(status)} rows={status.processes} rowKey={(p) => p.pid} />
      </Card>
      <div class="cols-2">
        <Card title={t('workers.config')}>
          <Configuration status={status} />
        </Card>
        <Card title={t('workers.listeners')} pad={false}>
          <Table caption={t('workers.listeners')} rowKey={(l) => l.id + l.address} rows={status.listeners}
            columns={[
              { id: 'address', head: t('backend.address'), main: true, sort: (l) => l.address, cell: (l) => <span class="mono">{l.address}</span> },
              { id: 'server', head: t('dash.server'), sort: (l) => l.server, cell: (l) => l.server },
              { id: 'network', head: t('workers.network'), cell: (l) => l.network },
            ]}
          />
        </Card>
      </div>
    </>
  );
}

function processColumns(status: Status): Column<Process>[] {
  return [
    { id: 'kind', head: t('dash.process'), main: true, sort: (p) => p.kind, cell: (p) => <span class="nowrap">{processName(p)}</span> },
    { id: 'pid', head: 'PID', right: true, cell: (p) => p.pid },
    { id: 'generation', head: t('workers.generation'), right: true, cell: (p) => (p.kind === 'worker' ? p.generation : '') },
    { id: 'state', head: t('common.state'), cell: (p) => <Badge tone={p.state === 'active' || p.state === 'running' ? 'ok' : 'warn'} dot>{p.state}</Badge> },
    { id: 'up', head: t('dash.uptime'), right: true, sort: (p) => p.uptime, cell: (p) => span(p.uptime * 1000) },
    { id: 'connections', head: t('dash.connections'), right: true, sort: (p) => p.connections, cell: (p) => (p.kind === 'worker' ? count(p.connections) : '') },
    { id: 'requests', head: t('backend.requests'), right: true, sort: (p) => p.requests, cell: (p) => (p.kind === 'worker' ? count(p.requests) : '') },
    { id: 'memory', head: t('dash.memory'), right: true, sort: (p) => p.memory, cell: (p) => bytes(p.memory) },
    { id: 'restarts', head: t('workers.restarts'), right: true, cell: (p) => <span title={p.last_exit}>{p.restarts}</span> },
    { id: 'sha', head: t('workers.sha'), cell: (p) => (p.sha ? <Badge tone={p.sha === status.config.sha ? 'ok' : 'warn'}><span class="mono">{p.sha.slice(0, 8)}</span></Badge> : '') },
  ];
}

function Configuration({ status }: { status: Status }) {
  const c = status.config;
  return (
    <dl class="facts">
      <dt>{t('health.version')}</dt>
      <dd class="num">{c.version}</dd>
      <dt>SHA-256</dt>
      <dd class="row"><code class="cut">{c.sha.slice(0, 16)}</code><CopyButton text={c.sha} /></dd>
      <dt>{t('workers.source')}</dt>
      <dd><code>{c.source?.location}</code> {c.source?.differs && <Badge tone="warn">{t('workers.differs')}</Badge>} {c.source?.error && <span style={{ color: 'var(--bad)' }}>{c.source.error}</span>}</dd>
      <dt>{t('workers.watch')}</dt>
      <dd>{c.source?.watch}</dd>
      <dt>{t('workers.lastapply')}</dt>
      <dd>
        <Time at={c.last_apply?.at} /> {c.last_apply?.requested_by && <span class="muted">{c.last_apply.requested_by}</span>}
        {c.last_apply?.error && <p style={{ color: 'var(--bad)' }}>{c.last_apply.error}</p>}
      </dd>
      <dt>{t('workers.build')}</dt>
      <dd><code class="small">{status.build}</code></dd>
    </dl>
  );
}
