import { store } from '../app/store';
import type { Figure, Live, Series } from '../api/types';

/** seconds of rates that sparklines show. */
export const kept = 90;

/** rates are the last requests per second of locations and upstreams, by "location:x"; they outlive a visit of another page. */
export const rates = store<Map<string, Figure[]>>(new Map());

/** note adds a sample to the sparklines, and drops what is gone. */
export function note(live: Live): void {
  const next = new Map<string, Figure[]>();
  const add = (name: string, rps: Figure) => next.set(name, [...(rates.get().get(name) ?? []), rps].slice(-kept));
  for (const l of live.locations) add(`location:${l.name}`, l.rps);
  for (const u of live.upstreams) add(`upstream:${u.name}`, u.rps);
  rates.set(next);
}

export const names = ['rps', 'errors', 'p50', 'p90', 'p99', 'connections', 'cpu', 'memory'] as const;
export type Name = (typeof names)[number];

/** Past is the graphs: times in seconds, and values of each series at these times. */
export type Past = { step: number; times: number[]; values: Record<Name, Figure[]>; pending: { until: number; sums: Partial<Record<Name, number[]>> } };

/** pastOf makes graphs of what the API knows. */
export function pastOf(s: Series): Past {
  const length = Math.max(0, ...Object.values(s.series).map((v) => v.length));
  // Before the first sample it is not known when that was.
  const from = s.from > 0 ? s.from : Date.now() - length * s.step_ms;
  const times = Array.from({ length }, (_, i) => (from + i * s.step_ms) / 1000);
  const values = Object.fromEntries(names.map((n) => [n, s.series[n] ?? times.map(() => null)])) as Past['values'];
  return { step: s.step_ms, times, values, pending: { until: from + (length + 1) * s.step_ms, sums: {} } };
}

function figures(live: Live, of: string): Record<Name, Figure> {
  const [kind, name] = of.split(/:(.*)/s);
  const one = kind === 'location' ? live.locations.find((l) => l.name === name) : kind === 'upstream' ? live.upstreams.find((u) => u.name === name) : live.totals;
  const sum = (pick: (p: Live['processes'][number]) => number | null) => live.processes.reduce((a, p) => a + (pick(p) ?? 0), 0);
  const open = one && 'connections' in one ? one.connections : one && 'processing' in one ? one.processing : null;
  return { rps: one?.rps ?? null, errors: one?.errors_per_s ?? null, p50: one?.p50_ms ?? null, p90: one?.p90_ms ?? null, p99: one?.p99_ms ?? null, connections: open, cpu: sum((p) => p.cpu_percent), memory: sum((p) => p.memory) };
}

/** extend adds a live sample: the graphs get a point once a step is over, made of the samples within it. */
export function extend(past: Past, live: Live, of: string): Past {
  const now = figures(live, of);
  const sums = { ...past.pending.sums };
  for (const n of names) if (now[n] !== null) sums[n] = [...(sums[n] ?? []), now[n]!];
  if (live.at < past.pending.until) return { ...past, pending: { ...past.pending, sums } };
  const mean = (n: Name) => (sums[n]?.length ? sums[n]!.reduce((a, b) => a + b, 0) / sums[n]!.length : null);
  const values = Object.fromEntries(names.map((n) => [n, [...past.values[n].slice(1), mean(n)]])) as Past['values'];
  return { step: past.step, times: [...past.times.slice(1), live.at / 1000], values, pending: { until: live.at + past.step, sums: {} } };
}
