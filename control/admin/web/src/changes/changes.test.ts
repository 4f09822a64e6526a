import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffLines, readDiff } from '../ui/lines';
import { changesOf, DraftStore, versionOf, type Store } from './draft';
import { sortErrors } from './errors';
import { mergeText } from './merge';
import { allLive, answeredStates, forward, workerStates, type Process } from './live';

function memory(content: Record<string, string> = {}): Store & { content: Record<string, string> } {
  return { content, getItem: (k) => content[k] ?? null, setItem: (k, v) => void (content[k] = v), removeItem: (k) => void delete content[k] };
}

test('a draft joins edits of one object, survives a reload, and is one transaction', () => {
  const store = memory();
  const draft = new DraftStore(store);
  draft.put({ category: 'upstream', name: 'a', toml: 'one', was: 'old' }, '7');
  draft.put({ category: 'location', name: 'l', toml: null, was: 'x' }, '8');
  draft.put({ category: 'upstream', name: 'a', toml: 'two', was: 'one' }, '8');
  draft.remark(' why ');
  const again = new DraftStore(store);
  assert.equal(again.value.base, '7');
  assert.deepEqual(again.find('upstream', 'a'), { category: 'upstream', name: 'a', toml: 'two', was: 'old' });
  assert.deepEqual(changesOf(again.value), { toml: { upstream: { a: 'two' } }, set: { location: { l: null } }, remark: 'why' });
});

test('an edit that is taken back leaves the draft, and an empty draft the store', () => {
  const store = memory();
  const draft = new DraftStore(store);
  let told = 0;
  draft.subscribe(() => told++);
  draft.put({ category: 'upstream', name: 'a', toml: 'new', was: 'old' }, '7');
  draft.put({ category: 'upstream', name: 'a', toml: 'old', was: 'new' }, '7');
  assert.deepEqual(draft.value.items, []);
  assert.deepEqual(store.content, {});
  assert.equal(told, 2);
});

test('what is no draft in the store is ignored', () => {
  for (const text of ['{', '1', '{"base":1}', '{"base":"","remark":"","items":[{"category":"x"}]}']) {
    assert.deepEqual(new DraftStore(memory({ 'pingap.draft': text })).value.items, [], text);
  }
});

test('a store that is full costs nothing but the reload', () => {
  const draft = new DraftStore({
    getItem: () => null,
    removeItem: () => {},
    setItem: () => {
      throw new Error('full');
    },
  });
  draft.put({ category: 'upstream', name: 'a', toml: 'new', was: null }, '7');
  assert.equal(draft.value.items.length, 1);
});

test('the answer to a change already tells which workers serve it', () => {
  const worker = (version: number) => ({ pid: version, slot: 0, generation: 1, version });
  assert.equal(allLive(answeredStates({ version: 4, class: 'hot', workers: [worker(4)] })), true);
  assert.equal(allLive(answeredStates({ version: 4, class: 'hot', workers: [worker(4), worker(3)] })), false);
  assert.equal(allLive(answeredStates({ version: 4, class: 'hot' })), false);
});

test('a worker that served the change does not go back because the status is older', () => {
  const state = (pid: number, s: 'live' | 'waiting' | 'draining') => ({ pid, slot: 0, generation: 1, state: s });
  assert.deepEqual(
    forward([state(1, 'live'), state(2, 'waiting'), state(3, 'live')], [state(1, 'waiting'), state(2, 'waiting'), state(3, 'draining')]).map((w) => w.state),
    ['live', 'waiting', 'draining'],
  );
});

test('edits go on top of what others have changed, key by key', () => {
  const was = '[upstreams.a]\naddrs = ["a:1"] # first\nread_timeout = "1s"\nsni = "x"\n';
  const mine = was.replace('"1s"', '"2s"').replace('sni = "x"\n', '');
  const theirs = '# theirs\n[upstreams.a]\naddrs = ["b:1"]\nread_timeout = "9s"\nsni = "x"\nalgo = "least_conn"\n';
  assert.equal(mergeText(was, mine, theirs), '# theirs\n[upstreams.a]\naddrs = ["b:1"]\nread_timeout = "2s"\nalgo = "least_conn"\n');
  assert.equal(mergeText(was, 'broken', theirs), 'broken');
  const draft = new DraftStore(memory());
  draft.put({ category: 'upstream', name: 'a', toml: mine, was }, '1');
  draft.onto('upstream', 'a', theirs);
  assert.equal(draft.find('upstream', 'a')!.was, theirs);
});

test('the version of an ETag is read', () => {
  assert.deepEqual(['"12"', '12-1f2e3d4c', 'W/"3"', 'x', ''].map(versionOf), [12, 12, 3, undefined, undefined]);
});

test('a unified diff is read with line numbers', () => {
  const lines = readDiff('--- a\n+++ b\n@@ -1,3 +1,3 @@\n [x]\n-a = 1\n+a = 2\n b = 3\n@@ -10 +10 @@\n--- dashes\n+++ plusses\n');
  assert.deepEqual(
    lines.map((l) => l.kind),
    ['file', 'file', 'hunk', 'same', 'removed', 'added', 'same', 'hunk', 'removed', 'added'],
  );
  assert.deepEqual(lines[4], { kind: 'removed', text: 'a = 1', old: 2 });
  assert.deepEqual(lines[6], { kind: 'same', text: 'b = 3', old: 3, new: 3 });
});

test('two texts are compared by lines', () => {
  const lines = diffLines('a\nb\nc\nd\n', 'a\nc\nx\nd\n');
  assert.deepEqual(
    lines.map((l) => l.kind[0] + l.text),
    ['sa', 'rb', 'sc', 'ax', 'sd'],
  );
  assert.deepEqual(
    diffLines('', 'a\n').map((l) => l.kind),
    ['added'],
  );
});

test('a difference put together gives both texts again', () => {
  let seed = 3;
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const text = (): string => Array.from({ length: random(12) }, () => `${'abc'[random(3)]}\n`).join('');
  for (let i = 0; i < 500; i++) {
    const [a, b] = [text(), text()];
    const lines = diffLines(a, b);
    const join = (without: string): string =>
      lines
        .filter((l) => l.kind !== without)
        .map((l) => `${l.text}\n`)
        .join('');
    assert.equal(join('added'), a);
    assert.equal(join('removed'), b);
  }
});

test('errors go to the field they name', () => {
  const keys = new Set(['addrs', 'rules', 'algo']);
  const sorted = sortErrors(
    [
      { object: 'upstream:a', key: 'addrs', message: '1' },
      { object: 'upstream:a', key: 'upstreams.a.algo', message: '2' },
      { object: 'upstream:a', key: 'rules[1].max', message: '3' },
      { object: 'upstream:a', message: '4' },
      { object: 'location:a', key: 'addrs', message: '5' },
      { message: '6' },
    ],
    'upstream',
    'a',
    keys,
  );
  assert.deepEqual(
    [...sorted.fields].map(([k, v]) => [k, v.map((p) => p.message)]),
    [
      ['addrs', ['1']],
      ['algo', ['2']],
      ['rules', ['3']],
    ],
  );
  assert.deepEqual([sorted.object.map((p) => p.message), sorted.others.map((p) => p.message)], [['4'], ['5', '6']]);
});

test('a change is live when every worker of the newest generation serves it', () => {
  const worker = (pid: number, generation: number, state: string, sha: string): Process => ({ kind: 'worker', pid, slot: 0, generation, state, sha });
  const applied = { version: 4, sha: 'new', class: 'roll' };
  const before = workerStates([worker(1, 1, 'active', 'old')], applied);
  assert.deepEqual([before[0]!.state, allLive(before)], ['waiting', false]);
  const starting = workerStates([worker(1, 1, 'active', 'old'), worker(2, 2, 'starting', 'new')], applied);
  assert.equal(allLive(starting), false);
  const after = workerStates([worker(1, 1, 'draining', 'old'), worker(2, 2, 'active', 'new')], applied);
  assert.deepEqual([after.map((s) => s.state), allLive(after)], [['live', 'draining'], true]);
  assert.equal(allLive(workerStates([], applied)), false);
});
