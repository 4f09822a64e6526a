import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../api/types';
import { extend, kept, note, pastOf, rates } from './live';

const rate = { rps: 10, errors_per_s: 0, p50_ms: 1, p90_ms: 2, p99_ms: 3 };
const sample = (at: number, rps: number): Live => ({
  at, interval_ms: 1000, totals: { ...rate, rps, processing: 1, bytes_in_per_s: 0, bytes_out_per_s: 0, connections: 5, accepted: 1, status: { '2xx': 1, '3xx': 0, '4xx': 0, '5xx': 0 } },
  locations: [{ name: 'a:b', ...rate, rps: rps / 2, processing: 1 }], upstreams: [], processes: [{ pid: 1, kind: 'worker', slot: 0, generation: 1, state: 'active', cpu_percent: 7, memory: 100, connections: 0, requests: 0, uptime_ms: 1 }],
});

test('a point is added once a step is over, as the mean of its samples', () => {
  let past = pastOf({ from: 2000, step_ms: 2000, series: { rps: [1, 2, null] } });
  assert.deepEqual(past.times, [2, 4, 6]);
  past = extend(past, sample(9000, 10), 'total');
  assert.deepEqual(past.values.rps, [1, 2, null]);
  past = extend(past, sample(10_000, 20), 'total');
  assert.deepEqual(past.values.rps, [2, null, 15]);
  assert.deepEqual(past.times, [4, 6, 10]);
  assert.equal(past.values.cpu[2], 7);
});

test('a location is found by its name, colons included', () => {
  const past = extend(pastOf({ from: 1000, step_ms: 1000, series: { rps: [0] } }), sample(9000, 8), 'location:a:b');
  assert.deepEqual(past.values.rps, [4]);
});

test('sparklines are bounded and forget what is gone', () => {
  for (let i = 0; i < kept + 10; i++) note(sample(i * 1000, i));
  assert.equal(rates.get().get('location:a:b')!.length, kept);
  note({ ...sample(1, 1), locations: [] });
  assert.equal(rates.get().size, 0);
});
