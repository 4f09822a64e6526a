import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chipsOf, fit, healthOf, layOut, type RouteLocation } from './layout';

function location(i: number, upstream: string, plugins = 0): RouteLocation {
  const list = Array.from({ length: plugins }, (_, n) => ({ name: `plugin-${n}`, category: 'limit', step: 'request' }));
  return { name: `l${i}`, order: i, host: [], path: '/', kind: 'prefix', weight: 1, plugins: list, upstream, healthy: 1, total: 1 };
}

for (const [n, upstreams] of [
  [3, 2],
  [200, 5],
  [200, 200],
  [40, 1],
] as const) {
  test(`${n} locations with ${upstreams} upstreams: nothing lies over another or outside`, () => {
    const map = layOut(
      Array.from({ length: n }, (_, i) => location(i, `u${i % upstreams}`, i % 7)),
      1200,
    );
    assert.equal(new Set(map.nodes.map((n) => n.name)).size, upstreams);
    assert.deepEqual(
      map.nodes.flatMap((n) => n.locations).sort((a, b) => a - b),
      Array.from({ length: n }, (_, i) => i),
    );
    for (let i = 1; i < map.nodes.length; i++) assert.ok(map.nodes[i]!.y - map.nodes[i - 1]!.y >= map.rowHeight - 0.01, `nodes ${i - 1} and ${i}`);
    for (const node of map.nodes) assert.ok(node.y >= map.rowHeight / 2 && node.y <= map.height - map.rowHeight / 2, `${node.name} at ${node.y} of ${map.height}`);
    for (const row of map.rows) for (const chip of row.chips) assert.ok(chip.x + chip.width <= map.columns.chips + map.columns.chipsWidth, row.location.name);
  });
}

test('an upstream is drawn again where its locations are far apart, so that no line leads out of sight', () => {
  const map = layOut(
    Array.from({ length: 200 }, (_, i) => location(i, 'one')),
    1200,
  );
  for (const node of map.nodes) for (const i of node.locations) assert.ok(Math.abs(map.rows[i]!.y - node.y) <= 400, `${i}`);
});

test('locations without upstream have no node', () => {
  assert.deepEqual(layOut([location(0, '')], 900).nodes, []);
});

test('plugins that do not fit are counted', () => {
  const chips = chipsOf(location(0, 'u', 20).plugins!, 0, 300);
  const shown = chips.filter((c) => c.plugin).length;
  assert.equal(chips[chips.length - 1]!.label, `+${20 - shown}`);
});

test('texts that are too wide are cut', () => {
  assert.equal(fit('abcdef', 100, 7), 'abcdef');
  assert.equal(fit('abcdef', 35, 7), 'abcd…');
});

test('the health of an upstream has a word', () => {
  assert.deepEqual([healthOf(2, 2), healthOf(1, 2), healthOf(0, 2), healthOf(0, 0)], ['ok', 'some', 'none', 'unknown']);
});
