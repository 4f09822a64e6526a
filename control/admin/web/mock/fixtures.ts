// A made-up instance: a shop behind a proxy. Everything the mock answers is made from this.

export type Obj = Record<string, unknown>;
export const objects: Record<string, Record<string, Obj>> = {
  basic: { '': { name: 'pingap', threads: 2, log_level: 'INFO', grace_period: '3m', trusted_proxies: ['10.0.0.0/8'] } },
  server: {
    web: { addr: '0.0.0.0:80,0.0.0.0:443', locations: ['api', 'assets', 'checkout', 'shop'], access_log: 'json', global_certificates: true, enabled_h2: true },
    internal: { addr: '127.0.0.1:8080', locations: ['panel', 'metrics'], remark: 'only from this machine' },
  },
  location: {
    api: { upstream: 'api', host: 'shop.example,api.example', path: '/api', rewrite: '^/api/(.*)$ /$1', plugins: ['limit-api', 'auth', 'request-id'], max_processing: 500 },
    checkout: { upstream: 'checkout', host: 'shop.example', path: '~^/(cart|checkout)', plugins: ['auth'], grpc_web: false },
    assets: { upstream: 'assets', host: 'shop.example', path: '/assets', plugins: ['cache-assets', 'compress'] },
    shop: { upstream: 'shop', host: 'shop.example', path: '/', plugins: ['compress'] },
    panel: { path: '/panel', plugins: ['admin'] },
    metrics: { path: '= /metrics', plugins: ['stats'] },
  },
  upstream: {
    api: { addrs: ['10.1.0.11:8080 10', '10.1.0.12:8080 10', '10.1.0.13:8080 5'], algo: 'round_robin', health_check: 'http://api/healthz', connection_timeout: '3s', read_timeout: '10s' },
    checkout: { addrs: ['10.1.1.11:8080', '10.1.1.12:8080'], algo: 'hash:cookie:sid', health_check: 'http://checkout/ready' },
    assets: { addrs: ['10.1.2.11:9000'], algo: 'round_robin' },
    shop: { addrs: ['shop.internal:8080'], discovery: 'dns', algo: 'least_conn', health_check: 'tcp://shop' },
  },
  plugin: {
    admin: { category: 'admin', path: '/', authorizations: ['***'] },
    auth: { category: 'key_auth', query: 'key', keys: ['***'] },
    'cache-assets': { category: 'cache', max_ttl: '1h', eviction: true },
    compress: { category: 'compression', gzip_level: 6, br_level: 4, zstd_level: 5 },
    'limit-api': { category: 'limit', type: 'rate', tag: 'ip', max: 50, interval: '1s' },
    'request-id': { category: 'request_id', algorithm: 'nanoid', size: 16 },
    stats: { category: 'stats', path: '/metrics' },
  },
  certificate: {
    shop: { domains: 'shop.example,api.example', acme: 'lets_encrypt' },
    wildcard: { tls_cert: '/etc/pingap/wildcard.pem', tls_key: '***', is_default: true },
  },
  storage: { users: { category: 'secret', value: '***', remark: 'key for tokens' } },
};

const uses: Record<string, string> = { locations: 'location', plugins: 'plugin', upstream: 'upstream' };

export function usesOf(value: Obj): string[] {
  const out: string[] = [];
  for (const [key, category] of Object.entries(uses)) {
    const v = value[key];
    for (const name of Array.isArray(v) ? v : v ? [v] : []) out.push(`${category}:${String(name)}`);
  }
  return out;
}

export function usedBy(category: string, name: string): string[] {
  const out: string[] = [];
  for (const [c, all] of Object.entries(objects)) for (const [n, v] of Object.entries(all)) if (usesOf(v).includes(`${category}:${name}`)) out.push(`${c}:${n}`);
  return out;
}

export function toTOML(category: string, name: string, value: Obj): string {
  const head = category === 'basic' ? '[basic]' : `[${category}s.${name}]`;
  const lines = Object.entries(value).map(([k, v]) => `${k} = ${JSON.stringify(v)}`);
  return [head, ...lines].join('\n') + '\n';
}

export function summary(category: string, value: Obj): string {
  if (category === 'server') return String(value.addr);
  if (category === 'location') return `${value.host ?? ''} ${value.path ?? ''}`.trim();
  if (category === 'upstream') return (value.addrs as string[]).join(', ');
  return String(value.category ?? value.domains ?? '');
}

const now = Date.now();
const before = (minutes: number) => new Date(now - minutes * 60_000).toISOString();

export const versions = [
  { version: 12, at: before(14), by: 'maria (panel)', sha: 'b1946ac92492d2347c6235b4d2611184', size: 4211, changes: [{ object: 'upstream:api', class: 'hot' }, { object: 'location:api', class: 'hot' }] },
  { version: 11, at: before(190), by: 'file watcher', sha: '591785b794601e212b260e25925636fd', size: 4178, changes: [{ object: 'server:web', class: 'listeners' }] },
  { version: 10, at: before(1450), by: 'uid 0', sha: '6f5902ac237024bdd0c176cb93063dc4', size: 4120, changes: [{ object: 'basic', class: 'roll' }], rollback_of: 8 },
  { version: 9, at: before(1490), by: 'maria (panel)', sha: 'd3b07384d113edec49eaa6238ad5ff00', size: 4302, changes: [{ object: 'plugin:limit-api', class: 'hot' }, { object: 'basic', class: 'roll' }] },
  { version: 8, at: before(4200), by: 'boot', sha: '6f5902ac237024bdd0c176cb93063dc4', size: 4120, changes: [] },
];

export const audit = [
  { at: before(14), user: 'maria', addr: '10.0.3.7', how: 'session', method: 'POST', path: '/changes', what: 'upstream:api, location:api', result: 'version 12', version: 12 },
  { at: before(15), user: 'maria', addr: '10.0.3.7', how: 'session', method: 'POST', path: '/changes', what: 'upstream:api', result: 'refused: addrs: "10.1.0.300:80" is no address' },
  { at: before(16), user: 'maria', addr: '10.0.3.7', how: 'session', method: 'POST', path: '/login', what: '', result: 'logged in' },
  { at: before(700), user: 'ci', addr: '10.0.9.2', how: 'token', method: 'POST', path: '/upstreams/shop/backends/10.1.3.11:8080/drain', what: 'upstream:shop', result: 'drained' },
  { at: before(1450), user: 'uid 0', addr: '', how: 'socket', method: 'POST', path: '/versions/8/rollback', what: 'version 8', result: 'version 10', version: 10 },
  { at: before(1600), user: 'admin', addr: '203.0.113.80', how: 'session', method: 'POST', path: '/login', what: '', result: 'refused: wrong password' },
];

export const inventory = {
  certificates: [
    { name: 'shop', domains: ['shop.example', 'api.example'], source: 'acme', issuer: "Let's Encrypt R11", key_type: 'ECDSA P-256', not_after: new Date(now + 61 * 86_400_000).toISOString(), days_left: 61 },
    { name: 'wildcard', domains: ['*.shop.example'], source: 'file', path: '/etc/pingap/wildcard.pem', issuer: 'Example CA', key_type: 'RSA 2048', not_after: new Date(now + 9 * 86_400_000).toISOString(), days_left: 9 },
    { name: 'next', domains: ['next.example'], source: 'acme', key_type: '', days_left: 0, last_error: 'the CA could not connect to 203.0.113.4:80: connection refused', next_attempt: new Date(now + 22 * 60_000).toISOString() },
  ],
};

const record = (id: number, minutes: number, kind: string, more: Record<string, unknown>) => ({ id, kind, by: 'maria (panel)', at: before(minutes), took: 84e6, result: 'done', workers: 2, draining: 0, requests: 0, connections: 0, after_answer: 0, idle: 0, moved: 0, cut: 0, refused: 0, longest_wait: 0, ended: before(minutes), ...more });

export const ledger = {
  records: [
    record(1, 88_400 / 60, 'start', { by: 'boot', to: 8, workers: 0 }),
    record(2, 1490, 'apply', { from: 8, to: 9, result: 'done', workers: 2, draining: 0, requests: 18_402, connections: 388, after_answer: 240, idle: 148, moved: 0, cut: 0 }),
    record(3, 1450, 'rollback', { from: 9, to: 10, by: 'uid 0', requests: 21_771, connections: 402, after_answer: 260, idle: 140, cut: 2, cut_why: { tunnel: 2 }, longest_wait: 0 }),
    record(4, 190, 'apply', { from: 10, to: 11, by: 'file watcher' }),
    record(5, 15, 'apply', { from: 11, to: 11, result: 'refused', reason: 'upstream api: addrs: "10.1.0.300:80" is no address' }),
    record(6, 14, 'apply', { from: 11, to: 12 }),
  ],
};
