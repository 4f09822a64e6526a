import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alike } from './alike';
import { bytes, count } from './format';

test('numbers are as short as a tile is wide', () => {
  const cases: [number | null, number, string][] = [[null, 1, '–'], [0, 2, '0'], [0.126, 2, '0.13'], [7.25, 1, '7.3'], [950.4, 1, '950'], [9_999, 1, '9,999'], [12_345, 1, '12.3k'], [48_211_904, 1, '48.2M']];
  for (const [n, digits, want] of cases) assert.equal(count(n, digits), want);
  for (const [n, want] of [[undefined, '–'], [512, '512 B'], [1536, '1.5 KiB'], [174_700_000, '167 MiB']] as const) assert.equal(bytes(n), want);
});

test('rows that mean the same are alike, whoever made them', () => {
  const row = () => ({ name: 'a', rps: 0, p50: null, backends: [{ addr: 'x', healthy: true }] });
  assert.ok(alike(row(), row()));
  for (const other of [{ ...row(), rps: 1 }, { ...row(), p50: undefined }, { ...row(), more: 1 }, { ...row(), backends: [] }, { ...row(), backends: [{ addr: 'x', healthy: false }] }, null, []]) assert.ok(!alike(row(), other), JSON.stringify(other));
  assert.ok(!alike(new Map(), new Map()), 'what is not plain is only like itself');
});
