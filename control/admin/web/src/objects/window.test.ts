import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visibleRows } from './window';

test('of thousands of rows only those near the window are drawn', () => {
  for (const top of [300, 0, -52, -100_000, -519_000, -600_000]) {
    const { from, to } = visibleRows(top, 900, 52, 10_000);
    assert.ok(to - from <= 45, `${to - from} rows at ${top}`);
    const [first, last] = [Math.max(0, Math.floor(-top / 52)), Math.min(10_000, Math.ceil((900 - top) / 52))];
    if (first < 10_000) assert.ok(from <= first && to >= last, `${from} to ${to} at ${top}`);
  }
});

test('a list shorter than the window is drawn whole, an empty one not at all', () => {
  assert.deepEqual(visibleRows(200, 900, 52, 5), { from: 0, to: 5 });
  assert.deepEqual(visibleRows(200, 900, 52, 0), { from: 0, to: 0 });
});
