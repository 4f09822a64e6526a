import type { IncomingMessage, ServerResponse } from 'node:http';
import { audit, inventory, ledger, objects, summary, toTOML, usedBy, usesOf, versions, type Obj } from './fixtures.ts';
import { backends, history, line, live, upstreams } from './live.ts';
import { schema } from './schema.ts';

const session = { user: 'maria', role: 'write', csrf: 'mock', expires: new Date(Date.now() + 86_400_000).toISOString(), how: 'session' };
let loggedIn = process.env.MOCK_LOGIN !== '1';

type Call = { path: string; parts: string[]; url: URL; method: string; body: any; req: IncomingMessage; res: ServerResponse };
type Handler = (c: Call) => unknown;
class Refused extends Error {
  constructor(readonly status: number, readonly body: Record<string, unknown>) {
    super(String(body.message));
  }
}

/** serve answers one request of the panel as the API would, from memory. */
export async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url!, 'http://mock');
  const path = url.pathname.replace(/^\/api/, '');
  const text = await read(req);
  const body = text && req.headers['content-type']?.includes('json') ? JSON.parse(text) : text;
  const call: Call = { path, parts: path.split('/').filter(Boolean).map(decodeURIComponent), url, method: req.method!, body, req, res };
  try {
    if (!loggedIn && path !== '/login' && !(path === '/session' && url.searchParams.has('optional'))) throw new Refused(401, { message: 'no session' });
    const found = routes.find(([method, pattern]) => method === call.method && pattern.test(path));
    if (!found) throw new Refused(404, { message: `there is no ${path}` });
    const value = await found[2](call);
    if (res.headersSent) return;
    res.setHeader('ETag', `"${versions[0].version}"`);
    if (value === undefined) res.writeHead(204).end();
    else res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  } catch (e) {
    const refused = e instanceof Refused ? e : new Refused(500, { message: String(e) });
    res.writeHead(refused.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(refused.body));
  }
}

async function read(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of req) text += String(part);
  return text;
}

function stream(c: Call, every: number, tell: (say: (event: string, data: unknown) => void, i: number) => void) {
  c.res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let i = 0;
  const say = (event: string, data: unknown) => c.res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  tell(say, i++);
  const id = setInterval(() => tell(say, i++), every);
  c.req.on('close', () => clearInterval(id));
  c.res.on('close', () => clearInterval(id));
}

function one({ parts }: Call) {
  const [, category, name = ''] = parts;
  const value = objects[category]?.[category === 'basic' ? '' : name];
  if (!value) throw new Refused(404, { message: `there is no ${category} "${name}"` });
  return { category, name, version: versions[0].version, value, toml: toTOML(category, name, value), used_by: usedBy(category, name), uses: usesOf(value), file: '/etc/pingap/pingap.toml', line: 12 };
}

function list({ url }: Call) {
  const brief = url.searchParams.has('brief');
  const out = Object.entries(objects).flatMap(([category, all]) =>
    Object.entries(all).map(([name, v]) => ({ category, name, remark: v.remark ?? '', used_by: usedBy(category, name), uses: usesOf(v), summary: summary(category, v), file: '/etc/pingap/pingap.toml', line: 1 })));
  return { version: String(versions[0].version), source: 'file', instance: process.env.MOCK_NAME ?? 'shop-eu', panel_only: process.env.MOCK_ALONE === '1', writable: process.env.MOCK_UNWRITABLE ?? '', objects: brief ? [] : out };
}

function changesOf(set: Record<string, Record<string, Obj | null>>) {
  return Object.entries(set).flatMap(([category, all]) =>
    Object.entries(all).map(([name, to]) => {
      const from = objects[category]?.[name];
      const keys = [...new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])].filter((k) => JSON.stringify(from?.[k]) !== JSON.stringify(to?.[k])).map((key) => ({ key, from: from?.[key], to: to?.[key], class: 'hot' }));
      return { object: category === 'basic' ? 'basic' : `${category}:${name}`, op: !from ? 'added' : to ? 'changed' : 'removed', class: category === 'basic' ? 'roll' : category === 'server' ? 'listeners' : 'hot', keys };
    }));
}

function check(set: Record<string, Record<string, Obj | null>>) {
  const errors: unknown[] = [];
  for (const [name, v] of Object.entries(set.upstream ?? {}))
    for (const addr of (v?.addrs as string[]) ?? []) if (!/:\d+/.test(addr)) errors.push({ file: '/etc/pingap/pingap.toml', line: 3, key: 'addrs', object: `upstream:${name}`, expected: 'host:port', message: `"${addr}" has no port` });
  for (const [name, v] of Object.entries(set.location ?? {})) if (v?.upstream && !(String(v.upstream) in objects.upstream) && !set.upstream?.[String(v.upstream)]) errors.push({ key: 'upstream', object: `location:${name}`, message: `there is no upstream "${v.upstream}"` });
  if (errors.length) throw new Refused(422, { message: `${errors.length} mistakes`, errors });
}

function change(c: Call) {
  const set = c.body.set ?? {};
  const match = c.req.headers['if-match'];
  if (match && match !== `"${versions[0].version}"`) throw new Refused(412, { message: `version ${versions[0].version} is live now` });
  check(set);
  const changes = changesOf(set);
  const cls = ['roll', 'listeners', 'hot'].find((k) => changes.some((x) => x.class === k)) ?? 'none';
  if (c.url.searchParams.has('dry_run')) return preview(changes, cls);
  for (const [category, all] of Object.entries<Record<string, Obj | null>>(set)) for (const [name, v] of Object.entries(all)) v ? (objects[category][name] = v) : delete objects[category][name];
  return applied(changes, cls);
}

function preview(changes: any[], cls: string) {
  const lines = changes.flatMap((x) => [` [${x.object}]`, ...(x.keys ?? []).flatMap((k: any) => [k.from !== undefined ? `-${k.key} = ${JSON.stringify(k.from)}` : '', k.to !== undefined ? `+${k.key} = ${JSON.stringify(k.to)}` : ''].filter(Boolean))]);
  return { class: cls, changes, text: ['--- live', '+++ new', '@@ -1,4 +1,4 @@', ...lines].join('\n') + '\n', warnings: [], base: String(versions[0].version) };
}

function applied(changes: any[], cls: string, rollback?: number) {
  const version = versions[0].version + 1;
  versions.unshift({ version, at: new Date().toISOString(), by: 'maria (panel)', sha: Math.random().toString(16).slice(2).padEnd(32, '0'), size: 4200, changes, ...(rollback ? { rollback_of: rollback } : {}) } as any);
  return { version, sha: versions[0].sha, class: cls, changes, took_ms: 84, workers: [4150, 4151].map((pid, slot) => ({ pid, slot, generation: 3, version })), warnings: [] };
}

function status() {
  const now = live();
  return {
    state: 'running', degraded: [], notes: [], build: 'mock', settled: true, epoch: 1, hurried: 0,
    config: { version: versions[0].version, sha: versions[0].sha, source: { location: '/etc/pingap/pingap.toml', watch: 'none', differs: false, loaded: versions[0].at }, last_apply: { at: versions[0].at, sha: versions[0].sha, requested_by: versions[0].by }, versions: [] },
    processes: now.processes.map((p) => ({ ...p, uptime: p.uptime_ms / 1000, restarts: 0, log_dropped: 0, sha: versions[0].sha })),
    listeners: [{ id: 'web-0', network: 'tcp4', address: '0.0.0.0:80', server: 'web' }, { id: 'web-1', network: 'tcp4', address: '0.0.0.0:443', server: 'web' }, { id: 'internal-0', network: 'tcp4', address: '127.0.0.1:8080', server: 'internal' }], logs: [],
  };
}

function explain({ body }: Call) {
  const url = new URL(body.url, 'http://shop.example');
  return {
    server: 'web', listener: '0.0.0.0:443', request: { method: body.method, host: url.host, path: url.pathname, normalized: url.pathname },
    locations: [
      { name: 'api', weight: 1542, matched: false, why: `path "${url.pathname}" does not begin with "/api"` },
      { name: 'checkout', weight: 1290, matched: false, why: 'path does not match ^/(cart|checkout)' },
      { name: 'assets', weight: 1058, matched: false, why: `path "${url.pathname}" does not begin with "/assets"` },
      { name: 'shop', weight: 530, matched: true, why: 'host and path match' },
    ],
    location: 'shop', rewrite: { from: url.pathname, to: `/v2${url.pathname}` }, headers: [{ op: 'add', name: 'X-Forwarded-For', value: body.client || '127.0.0.1' }, { op: 'set', name: 'Host', value: 'shop.internal' }],
    plugins: [
      { name: 'compress', category: 'compression', step: 'early_request', verdict: 'changes', why: 'the answer may be compressed with zstd' },
      { name: 'limit-api', category: 'limit', step: 'request', verdict: 'unknown', why: 'depends on the requests of the last second' },
    ],
    upstream: { name: 'shop', algorithm: 'least_conn', chosen: '10.1.3.12:8080', backends: (backends.shop ?? []).map((b, i) => ({ addr: b.addr, weight: 1, healthy: b.healthy, state: b.state, chosen: i === 1, why: i === 1 ? 'fewest connections: 12' : `${14 + i} connections` })) },
    answer: null, notes: ['The backend is chosen anew by every worker: another may be chosen when the request comes.'],
  };
}

function routesOf({ parts }: Call) {
  const names = (objects.server[parts[1]]?.locations as string[]) ?? [];
  return {
    server: parts[1],
    locations: names.map((name, order) => {
      const l = objects.location[name] ?? {};
      const path = String(l.path ?? '');
      const kind = path.startsWith('~') ? 'regex' : path.startsWith('=') ? 'exact' : path ? 'prefix' : 'any';
      const list = backends[String(l.upstream)] ?? [];
      return { name, order, host: l.host ? String(l.host).split(',') : [], path, kind, weight: 1500 - order * 250, upstream: l.upstream ?? '', healthy: list.filter((b) => b.healthy).length, total: list.length,
        plugins: ((l.plugins as string[]) ?? []).map((p) => ({ name: p, category: objects.plugin[p]?.category ?? '', step: 'request' })) };
    }),
  };
}

function setBackend({ parts }: Call) {
  const found = backends[parts[1]]?.find((b) => b.addr === parts[3]);
  if (!found) throw new Refused(404, { message: `upstream ${parts[1]} has no backend ${parts[3]}` });
  found.state = parts[4];
  return {};
}

function rollback(c: Call) {
  const n = Number(c.parts[1]);
  const changes = [{ object: 'upstream:api', op: 'changed', class: 'hot', keys: [{ key: 'read_timeout', from: '10s', to: '5s', class: 'hot' }] }];
  return c.url.searchParams.has('dry_run') ? preview(changes, 'hot') : applied(changes, 'hot', n);
}

function tail(c: Call) {
  const wanted = c.url.searchParams.get('status');
  const location = c.url.searchParams.get('location');
  stream(c, 180, (say, i) => {
    const l = line(i);
    if (wanted?.endsWith('xx') && String(l.status)[0] !== wanted[0]) return;
    if (location && l.location !== location) return;
    say('line', l);
    if (i % 60 === 59) say('lost', { lines: 12 });
  });
}

const basic = () => ({ start_time: Math.floor(Date.now() / 1000) - 88_400, version: '1.0.0', kernel: 'Linux 6.12', config_hash: versions[0].sha.slice(0, 8), pid: '4001', user: 'pingap', group: 'pingap', threads: 2, processing: 12, accepted: 48_211_904, memory: '167 MiB', memory_mb: 167, arch: 'amd64', cpus: 8, physical_cpus: 4,
  total_memory: '15.6 GiB', used_memory: '6.1 GiB', features: ['default', 'tracing'], fd_count: 512, tcp_count: 421, tcp6_count: 12, supported_plugins: schema.plugins.map((p) => p.category), upstream_healthy_status: {}, support_history: true, git_hash: 'mock', now: Date.now() / 1000 });

const fullTOML = () => Object.entries(objects).flatMap(([c, all]) => Object.entries(all).map(([n, v]) => toTOML(c, n, v))).join('\n');

const routes: [string, RegExp, Handler][] = [
  ['GET', /^\/session$/, () => (loggedIn ? session : { user: '', role: 'none', csrf: '', expires: '', how: '' })],
  ['POST', /^\/login$/, ({ body }) => {
    if (body.password !== 'secret') throw new Refused(401, { message: 'user or password is wrong' });
    loggedIn = true;
    return session;
  }],
  ['POST', /^\/logout$/, () => void (loggedIn = false)],
  ['GET', /^\/status$/, status],
  ['GET', /^\/basic$/, basic],
  ['GET', /^\/schema$/, () => schema],
  ['GET', /^\/objects$/, list],
  ['GET', /^\/objects\/[^/]+(\/[^/]*)?$/, one],
  ['POST', /^\/changes$/, change],
  ['GET', /^\/configs$/, () => objects],
  ['GET', /^\/configs\/full$/, () => ({ hcl: '', kdl: '', full: fullTOML(), original: fullTOML() })],
  ['POST', /^\/configs\/import$/, (c) => (c.url.searchParams.has('dry_run') ? preview([], 'none') : applied([], 'none'))],
  ['GET', /^\/versions$/, () => ({ live: versions[0].version, versions })],
  ['GET', /^\/versions\/\d+$/, ({ parts }) => ({ version: Number(parts[1]), toml: fullTOML() })],
  ['GET', /^\/versions\/\d+\/diff$/, () => preview([{ object: 'upstream:api', op: 'changed', class: 'hot', keys: [{ key: 'read_timeout', from: '5s', to: '10s', class: 'hot' }, { key: 'addrs', from: ['10.1.0.11:8080 10'], to: ['10.1.0.11:8080 10', '10.1.0.12:8080 10'], class: 'hot' }] }], 'hot')],
  ['POST', /^\/versions\/\d+\/rollback$/, rollback],
  ['GET', /^\/ledger$/, () => ledger],
  ['GET', /^\/inventory$/, () => inventory],
  ['GET', /^\/upstreams$/, upstreams],
  ['POST', /^\/upstreams\/[^/]+\/backends\/[^/]+\/\w+$/, setBackend],
  ['POST', /^\/(workers\/roll|restart)$/, () => new Promise((done) => setTimeout(() => done(status()), 1500))],
  ['GET', /^\/live$/, () => live()],
  ['GET', /^\/live\/stream$/, (c) => stream(c, 1000, (say) => say('live', live()))],
  ['GET', /^\/live\/history$/, ({ url }) => history((url.searchParams.get('series') ?? 'rps').split(','), url.searchParams.get('of') ?? 'total', Number(url.searchParams.get('minutes') ?? 60))],
  ['GET', /^\/tail$/, tail],
  ['POST', /^\/explain$/, explain],
  ['GET', /^\/routes\/[^/]+$/, routesOf],
  ['GET', /^\/audit$/, () => ({ entries: audit })],
];
