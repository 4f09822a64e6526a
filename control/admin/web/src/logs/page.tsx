import { useEffect, useRef, useState } from 'preact/hooks';
import { useResource } from '../api/hooks';
import { useStream } from '../api/stream';
import type { LogLine, ObjectList } from '../api/types';
import { link, navigate, useRoute } from '../app/router';
import { StreamBadge } from '../dashboard/page';
import { t } from '../i18n';
import { Badge, Button, bytes, Card, count, Dialog, Empty, Field, Input, millis, Note, Page, Search, Select } from '../ui';
import './logs.css';

/** most lines that are kept and shown; older ones go. */
const most = 500;

type Entry = { n: number; line: LogLine };

/** Logs is the access log of all workers as it is written, as far as the filters let it through. */
export default function Logs() {
  const query = useRoute().query;
  const filters = { location: query.get('location') ?? '', status: query.get('status') ?? '', slow: query.get('slow') ?? '' };
  const [running, setRunning] = useState(true);
  const [lines, setLines] = useState<Entry[]>([]);
  const [lost, setLost] = useState(0);
  const [text, setText] = useState('');
  const [open, setOpen] = useState<LogLine | null>(null);
  const arrived = useBatches((batch) => setLines((l) => [...batch.reverse(), ...l].slice(0, most)));
  const state = useStream(running ? '/tail' : null, { line: (data) => arrived(data as LogLine), lost: (data) => setLost((n) => n + (data as { lines: number }).lines) }, filters);
  const filter = (name: string, value: string) => {
    setLines([]);
    navigate(link('/logs', { ...filters, [name]: value }), true);
  };
  const shown = text ? lines.filter((e) => JSON.stringify(e.line).toLowerCase().includes(text.toLowerCase())) : lines;
  const actions = (
    <>
      <StreamBadge state={state} />
      <Button small icon={running ? 'pause' : 'play'} onClick={() => setRunning(!running)}>{t(running ? 'logs.pause' : 'logs.go')}</Button>
      <Button small icon="trash" onClick={() => { setLines([]); setLost(0); }}>{t('logs.clear')}</Button>
    </>
  );
  return (
    <Page title={t('nav.logs')} lead={t('logs.lead')} actions={actions}>
      <Filters filters={filters} set={filter} text={text} setText={setText} />
      {lost > 0 && <Note tone="warn">{t('logs.lost', { n: lost })}</Note>}
      <Card pad={false} class="log-card">
        {shown.length === 0 ? (
          <Empty icon="list" title={t(running ? 'logs.waiting' : 'logs.paused')}>{t('logs.waiting.text')}</Empty>
        ) : (
          <ol class="log" aria-label={t('nav.logs')} tabIndex={0}>
            {shown.map((e) => <Line key={e.n} line={e.line} open={setOpen} />)}
          </ol>
        )}
      </Card>
      {open && <Details line={open} close={() => setOpen(null)} />}
    </Page>
  );
}

// useBatches collects what comes within a few frames: a busy proxy writes hundreds of lines a second, and one render for each would be too much.
function useBatches(flush: (batch: Entry[]) => void) {
  const waiting = useRef<Entry[]>([]);
  const number = useRef(0);
  const now = useRef(flush);
  now.current = flush;
  useEffect(() => {
    const id = setInterval(() => {
      if (waiting.current.length === 0) return;
      now.current(waiting.current);
      waiting.current = [];
    }, 200);
    return () => clearInterval(id);
  }, []);
  return (line: LogLine) => {
    waiting.current.push({ n: number.current++, line });
    if (waiting.current.length > most) waiting.current.shift();
  };
}

type FilterProps = { filters: { location: string; status: string; slow: string }; set: (name: string, value: string) => void; text: string; setText: (v: string) => void };

function Filters({ filters, set, text, setText }: FilterProps) {
  const { data } = useResource<ObjectList>('/objects');
  const locations = [{ value: '', label: t('common.all') }, ...(data?.objects ?? []).filter((o) => o.category === 'location').map((o) => ({ value: o.name, label: o.name }))];
  if (filters.location && !locations.some((l) => l.value === filters.location)) locations.push({ value: filters.location, label: filters.location });
  const statuses = ['', '2xx', '3xx', '4xx', '5xx', '>=400', '404', '499'].map((value) => ({ value, label: value || t('common.all') }));
  return (
    <div class="filters">
      <Field label={t('dash.location')}><Select options={locations} value={filters.location} onChange={(e) => set('location', e.currentTarget.value)} /></Field>
      <Field label={t('logs.status')}><Select options={statuses} value={filters.status} onChange={(e) => set('status', e.currentTarget.value)} /></Field>
      <Field label={t('logs.slow')}><Input placeholder="100ms" value={filters.slow} onChange={(e) => set('slow', e.currentTarget.value)} /></Field>
      <Search value={text} onInput={setText} label={t('logs.search')} />
    </div>
  );
}

function toneOf(status: number) {
  return status >= 500 ? 'bad' : status >= 400 ? 'warn' : status >= 300 ? 'info' : 'ok';
}

function Line({ line, open }: { line: LogLine; open: (l: LogLine) => void }) {
  const time = String(line.time ?? '').slice(11, 23);
  const status = Number(line.status ?? 0);
  return (
    <li>
      <button type="button" onClick={() => open(line)}>
        <span class="time">{time}</span>
        <Badge tone={toneOf(status)}>{status || '–'}</Badge>
        <span class="method">{String(line.method ?? '')}</span>
        <span class="uri">{String(line.host ?? '')}{String(line.uri ?? '')}</span>
        <span class="where">{String(line.location ?? '')}</span>
        <span class="took">{millis(Number(line.latency_ms))}</span>
        <span class="size">{bytes(Number(line.size))}</span>
      </button>
    </li>
  );
}

function Details({ line, close }: { line: LogLine; close: () => void }) {
  const url = `${line.scheme ?? 'http'}://${line.host ?? ''}${line.uri ?? ''}`;
  return (
    <Dialog wide title={`${line.method} ${line.uri}`} onClose={close} footer={<Button icon="compass" onClick={() => { close(); navigate(link('/explain', { method: String(line.method), url })); }}>{t('logs.explain')}</Button>}>
      <dl class="facts">
        {Object.entries(line).filter(([, v]) => v !== '' && v !== null).map(([k, v]) => (
          <>
            <dt class="mono">{k}</dt>
            <dd class="mono">{typeof v === 'number' && k === 'size' ? `${count(v)}` : String(v)}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  );
}
