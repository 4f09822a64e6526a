import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkName, checkValue, parseNumber } from './check';
import { exampleOf } from './example';
import { groupKeys } from './groups';
import { defaultFlag, keysOf, widgetOf, type Key, type Schema } from './schema';

const schema: Schema = {
  categories: [
    {
      name: 'plugin',
      table: 'plugins',
      keys: [
        { name: 'category', type: 'string' },
        { name: 'step', type: 'string' },
        { name: 'remark', type: 'string' },
      ],
    },
    {
      name: 'upstream',
      table: 'upstreams',
      keys: [
        { name: 'zzz', type: 'string' },
        { name: 'addrs', type: 'list' },
        { name: 'read_timeout', type: 'duration' },
        { name: 'mine', type: 'int', group: 'health' },
      ],
    },
  ],
  plugins: [
    { category: 'limit', summary: '', steps: ['request', 'proxy_upstream'], keys: [{ name: 'max', type: 'int' }] },
    { category: 'cors', summary: '', steps: ['request'], keys: null },
  ],
};

test('each key is edited as its type wants', () => {
  const cases: [Partial<Key>, string][] = [
    [{ type: 'string' }, 'text'],
    [{ type: 'string', name: 'tls_cert' }, 'long'],
    [{ type: 'string', refers: 'upstream' }, 'pick'],
    [{ type: 'list', refers: 'plugin' }, 'picks'],
    [{ type: 'list' }, 'list'],
    [{ type: 'list', secret: true }, 'secrets'],
    [{ type: 'string', secret: true }, 'secret'],
    [{ type: 'enum', enum: ['a'] }, 'choice'],
    [{ type: 'bool' }, 'flag'],
    [{ type: 'int' }, 'number'],
    [{ type: 'duration' }, 'text'],
    [{ type: 'table' }, 'tables'],
    [{ type: 'map' }, 'map'],
  ];
  for (const [key, want] of cases) assert.equal(widgetOf({ name: 'k', type: 'string', ...key }), want, JSON.stringify(key));
});

test('a default that is a text counts for a flag', () => {
  assert.equal(defaultFlag({ name: 'x', type: 'bool', default: 'true' }), true);
  assert.equal(defaultFlag({ name: 'x', type: 'bool' }), false);
});

test('the form of a plugin has the parameters of its kind, and the step only where there is a choice', () => {
  assert.deepEqual(
    keysOf(schema, 'plugin', 'limit').map((k) => k.name),
    ['category', 'step', 'max', 'remark'],
  );
  assert.deepEqual(
    keysOf(schema, 'plugin', 'cors').map((k) => k.name),
    ['category', 'remark'],
  );
  assert.deepEqual(keysOf(schema, 'plugin', 'limit')[0]!.enum, ['limit', 'cors']);
});

test('every key is in one group, also those that nobody has named', () => {
  const keys = keysOf(schema, 'upstream');
  const groups = groupKeys('upstream', keys);
  assert.deepEqual(
    groups.map((g) => [g.name, g.keys.map((k) => k.name)]),
    [
      ['general', ['addrs']],
      ['health', ['mine']],
      ['timeouts', ['read_timeout']],
      ['advanced', ['zzz']],
    ],
  );
});

test('values are judged by type and bounds', () => {
  const cases: [Partial<Key>, unknown, string | undefined][] = [
    [{ required: true }, undefined, 'required'],
    [{ required: true, type: 'list' }, [], 'required'],
    [{ type: 'duration' }, '1m 30s', undefined],
    [{ type: 'duration' }, '2days', undefined],
    [{ type: 'duration' }, '10', 'duration'],
    [{ type: 'duration' }, 'soon', 'duration'],
    [{ type: 'size' }, '64kib', undefined],
    [{ type: 'size' }, '64.5 MB', undefined],
    [{ type: 'size' }, 100, undefined],
    [{ type: 'size' }, 'big', 'size'],
    [{ type: 'share' }, '25%', undefined],
    [{ type: 'share' }, 0.5, undefined],
    [{ type: 'share' }, 2, 'share'],
    [{ type: 'int', min: 1, max: 5 }, 6, 'most'],
    [{ type: 'int', min: 1, max: 5 }, 0, 'least'],
    [{ type: 'int' }, 'abc', 'number'],
    [{ type: 'int' }, 1.5, 'whole'],
    [{ type: 'float' }, 1.5, undefined],
    [{ type: 'enum', enum: ['a', 'b'] }, 'c', 'one_of'],
    [{ type: 'string', secret: true, required: true }, '***', undefined],
  ];
  for (const [key, value, want] of cases) assert.equal(checkValue({ name: 'k', type: 'string', ...key }, value as never)?.word, want, JSON.stringify([key, value]));
});

test('numbers that JavaScript cannot hold are kept whole', () => {
  assert.equal(parseNumber('9007199254740993'), 9007199254740993n);
  assert.equal(parseNumber(' 12 '), 12);
  assert.equal(parseNumber(''), undefined);
  assert.equal(parseNumber('1e'), '1e');
});

test('names that a file or an URL could not have are refused', () => {
  for (const good of ['a', 'api-v2.shop', '中']) assert.equal(checkName(good), undefined, good);
  for (const bad of ['', ' ', 'a b', 'a/b', '*', 'a\nb', 'x'.repeat(129)]) assert.ok(checkName(bad), bad);
});

test('the example of a plugin is the one table of its kind, whatever stands around it', () => {
  const example = '# first\n[plugins.api-rate]\ncategory = "limit"\nmax = 20\n\n# 50 at a time\n[plugins.other]\ncategory = "cors"\n\n[locations.api]\nplugins = ["api-rate"]\n';
  const kind = { category: 'limit', summary: '', steps: null, keys: null, example };
  assert.equal(exampleOf(kind), '[plugins.api-rate]\ncategory = "limit"\nmax = 20\n');
  const short = '[plugins.NAME]\ncategory = "limit"\n# max = 1\n';
  assert.equal(exampleOf({ ...kind, example: short }), short);
  assert.equal(exampleOf({ ...kind, example: '' }), undefined);
});
