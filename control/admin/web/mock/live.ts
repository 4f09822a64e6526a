import { objects } from './fixtures.ts';

// Figures that look like a day at a shop: waves with noise, and a burst of errors now and then.
function wave(at: number, base: number, swing: number, seed: number): number {
  const slow = Math.sin(at / 600_000 + seed) * 0.6 + Math.sin(at / 97_000 + seed * 3) * 0.3;
  const noise = (Math.sin(at / 1000 * 12.9898 + seed * 78.233) * 43758.5453) % 1;
  return Math.max(0, base + swing * slow + swing * 0.18 * noise);
}

const shares: Record<string, number> = { api: 0.42, shop: 0.3, assets: 0.23, checkout: 0.05, panel: 0, metrics: 0.002 };

export function totals(at: number) {
  const rps = wave(at, 1850, 700, 1);
  const burst = Math.sin(at / 420_000) > 0.96 ? 40 : 0;
  const errors = wave(at, 1.4, 1.2, 5) + burst;
  const p50 = wave(at, 4.2, 1.2, 2), p90 = p50 * 3.1 + wave(at, 1, 1, 3), p99 = p90 * 2.6 + burst * 4;
  return {
    rps, errors_per_s: errors, bytes_in_per_s: rps * 640, bytes_out_per_s: rps * 14_800, connections: Math.round(wave(at, 420, 90, 7)), processing: Math.round(rps * p50 / 1000) + 2,
    p50_ms: p50, p90_ms: p90, p99_ms: p99, accepted: 48_211_904 + Math.round(at / 1000) % 100_000, status: { '2xx': rps * 0.94, '3xx': rps * 0.045, '4xx': rps * 0.014, '5xx': errors },
  };
}

const since = new Date(Date.now() - 3_400_000).toISOString();
export const backends: Record<string, { addr: string; healthy: boolean; state: string; since?: string; last_error?: string }[]> = {
  api: [
    { addr: '10.1.0.11:8080', healthy: true, state: 'up', since },
    { addr: '10.1.0.12:8080', healthy: false, state: 'up', since: new Date(Date.now() - 240_000).toISOString(), last_error: 'GET /healthz: connect: connection refused' },
    { addr: '10.1.0.13:8080', healthy: true, state: 'up', since },
  ],
  checkout: [
    { addr: '10.1.1.11:8080', healthy: true, state: 'up', since },
    { addr: '10.1.1.12:8080', healthy: true, state: 'drain', since },
  ],
  assets: [{ addr: '10.1.2.11:9000', healthy: true, state: 'up' }],
  shop: [
    { addr: '10.1.3.11:8080', healthy: true, state: 'up', since },
    { addr: '10.1.3.12:8080', healthy: true, state: 'up', since },
    { addr: '10.1.3.13:8080', healthy: true, state: 'up', since },
  ],
};

export function live(at = Math.floor(Date.now() / 1000) * 1000) {
  const all = totals(at);
  const locations = Object.keys(objects.location).map((name, i) => ({
    name, rps: all.rps * (shares[name] ?? 0.001), errors_per_s: name === 'api' ? all.errors_per_s : 0,
    p50_ms: all.p50_ms * (0.5 + i * 0.3), p90_ms: all.p90_ms * (0.5 + i * 0.3), p99_ms: all.p99_ms * (0.5 + i * 0.3), processing: Math.round(all.processing * (shares[name] ?? 0)),
  }));
  const upstreams = Object.keys(objects.upstream).map((name, i) => {
    const list = backends[name] ?? [];
    return { name, rps: all.rps * (shares[name] ?? 0.001), errors_per_s: name === 'api' ? all.errors_per_s : 0, p50_ms: all.p50_ms * (0.4 + i * 0.3), p90_ms: all.p90_ms * (0.4 + i * 0.3), p99_ms: all.p99_ms * (0.4 + i * 0.3),
      connections: Math.round(all.connections * (shares[name] ?? 0)), healthy: list.filter((b) => b.healthy).length, total: list.length, backends: list };
  });
  const processes = [
    { pid: 4001, kind: 'supervisor', slot: 0, generation: 0, state: 'running', cpu_percent: 0.1, memory: 14_300_000, connections: 0, requests: 0, uptime_ms: 88_400_000 },
    { pid: 4007, kind: 'control', slot: 0, generation: 0, state: 'running', cpu_percent: 0.6, memory: 38_100_000, connections: 0, requests: 0, uptime_ms: 88_390_000 },
    { pid: 4150, kind: 'worker', slot: 0, generation: 3, state: 'active', cpu_percent: wave(at, 22, 12, 9), memory: 61_400_000, connections: Math.round(all.connections / 2), requests: 24_104_112, uptime_ms: 52_000_000 },
    { pid: 4151, kind: 'worker', slot: 1, generation: 3, state: 'active', cpu_percent: wave(at, 21, 12, 10), memory: 60_900_000, connections: Math.round(all.connections / 2), requests: 24_107_792, uptime_ms: 52_000_000 },
  ];
  return { at, interval_ms: 1000, totals: all, locations, upstreams, processes };
}

export function history(series: string[], of: string, minutes: number) {
  const step = Math.max(1000, Math.ceil((minutes * 60_000) / 720 / 1000) * 1000);
  const points = Math.floor((minutes * 60_000) / step);
  const from = Math.floor(Date.now() / step) * step - points * step;
  const share = of === 'total' ? 1 : (shares[of.split(':')[1]] ?? 0.01);
  const pick: Record<string, (at: number) => number> = {
    rps: (at) => totals(at).rps * share, errors: (at) => totals(at).errors_per_s * share, p50: (at) => totals(at).p50_ms, p90: (at) => totals(at).p90_ms, p99: (at) => totals(at).p99_ms,
    connections: (at) => totals(at).connections * share, cpu: (at) => wave(at, 43, 20, 9), memory: (at) => 174_700_000 + wave(at, 3e6, 2e6, 11),
  };
  const out: Record<string, (number | null)[]> = {};
  for (const name of series) out[name] = Array.from({ length: points }, (_, i) => (i < points * 0.08 ? null : (pick[name]?.(from + i * step) ?? null)));
  return { from, step_ms: step, series: out };
}

/** upstreams is what pingap upstream list --json prints. */
export function upstreams() {
  const zero = { in_flight: 3, breaker: '', open_for: 0, probes: 0, successes: 0, ejected_for: 0, ejected_times: 0, requests: 48_114, failures: 12 };
  return {
    upstreams: Object.keys(objects.upstream).map((name) => ({
      name, problems: name === 'shop' ? ['shop.internal: the name server answers slowly'] : [],
      backends: (backends[name] ?? []).map((b) => ({ address: b.addr, weight: 10, backup: false, from: name === 'shop' ? 'shop.internal:8080' : b.addr, health: !b.since ? 'unchecked' : b.healthy ? 'healthy' : 'unhealthy', reason: b.last_error ?? '', checked: b.since, admin: b.state, by: b.state === 'up' ? '' : 'maria (panel)', at: b.since, ...zero })),
    })),
  };
}

const paths = ['/', '/api/products?page=2', '/assets/app.4f2.js', '/checkout/pay', '/api/basket', '/product/1841', '/assets/logo.svg'];
export function line(i: number) {
  const path = paths[i % paths.length];
  const name = path.startsWith('/api') ? 'api' : path.startsWith('/assets') ? 'assets' : path.startsWith('/checkout') ? 'checkout' : 'shop';
  const status = i % 29 === 0 ? 502 : i % 13 === 0 ? 404 : i % 7 === 0 ? 304 : 200;
  return { time: new Date().toISOString(), remote: `198.51.100.${i % 250}`, client_ip: `198.51.100.${i % 250}`, method: i % 5 === 0 ? 'POST' : 'GET', host: 'shop.example', uri: path, proto: 'HTTP/2.0',
    status, size: 1200 + (i * 977) % 90_000, latency_ms: 1.5 + (i * 37) % 180, location: name, upstream: name, upstream_addr: backends[name]?.[0]?.addr ?? '', request_id: `r${i.toString(36)}`, user_agent: 'Mozilla/5.0' };
}
