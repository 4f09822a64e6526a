import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readObject, tryObject } from './object';
import { TomlError } from './scan';
import { objectText, rename, setKey, tidy, valueText } from './write';

const sample = `# backends of the shop
[upstreams.api] # a comment
addrs = [
  "10.0.0.1:80 5", # strong
  '10.0.0.2:80',
]
algo = "round_robin" # fair
read_timeout = "30s"
max_idle_connections = 1_000
verify_cert = true

# what is measured
ca = """
-----BEGIN CERTIFICATE-----
[upstreams.trap]
"""
`;

test('values of every kind are read', () => {
  const { values } = readObject(`[plugins."a b"]
i = -12
hex = 0xFF
f = 1.5e3
big = 9007199254740993
b = false
d = 1979-05-27 07:32:00Z
s = "a\\tb\\u00e9\\""
l = 'C:\\x'
ml = '''
one
two'''
folded = """a \\
   b"""
list = [1, [2, 3], { a = 1, "b c" = "x" }]
x.y = 1
x.z = 2
`);
  assert.deepEqual(JSON.parse(JSON.stringify(values, (_, v) => (typeof v === 'bigint' ? `${v}` : v))), {
    i: -12,
    hex: 255,
    f: 1500,
    big: '9007199254740993',
    b: false,
    d: '1979-05-27 07:32:00Z',
    s: 'a\tbé"',
    l: 'C:\\x',
    ml: 'one\ntwo',
    folded: 'a b',
    list: [1, [2, 3], { a: 1, 'b c': 'x' }],
    x: { y: 1, z: 2 },
  });
});

test('lists of tables and sub-tables belong to the object', () => {
  const { values, table, name } = readObject(`[plugins.who]
category = "combined_auth"
[[plugins.who.authorizations]]
app_id = "a"
[[plugins.who.authorizations]]
app_id = "b"
[plugins.who.deep.er]
x = 1
`);
  assert.deepEqual(
    { table, name, values },
    { table: 'plugins', name: 'who', values: { category: 'combined_auth', authorizations: [{ app_id: 'a' }, { app_id: 'b' }], deep: { er: { x: 1 } } } },
  );
});

for (const [what, text, line, message] of [
  ['a word without quotes', '[upstreams.a]\nalgo = round_robin\n', 2, /quotes/],
  ['a key that is there twice', '[upstreams.a]\nx = 1\nx = 2\n', 3, /twice/],
  ['a text without end', '[upstreams.a]\n\nx = "a\n', 3, /no end/],
  ['two objects', '[upstreams.a]\nx = 1\n[upstreams.b]\n', 3, /second object/],
  ['no table', 'x = 1\n', 1, /table first/],
  ['a table without name', '[upstreams]\n', 1, /name/],
  ['something behind a value', '[upstreams.a]\nx = 1 y = 2\n', 2, /end of the line/],
  ['an empty text', '# nothing\n', 2, /expected a table/],
  ['an unknown escape', '[a.b]\nx = "\\q"\n', 2, /escape/],
] as const) {
  test(`${what} is a mistake with its line`, () => {
    const err = tryObject(text);
    assert.ok(err instanceof TomlError);
    assert.match(err.message, message);
    assert.equal(err.line, line);
  });
}

test('nesting without end is refused, not followed', () => {
  assert.ok(tryObject(`[a.b]\nx = ${'['.repeat(100_000)}`) instanceof TomlError);
});

test('a changed key leaves comments, order and all else alone', () => {
  assert.equal(setKey(sample, 'algo', 'least_conn'), sample.replace('"round_robin"', '"least_conn"'));
  assert.equal(setKey(sample, 'addrs', ['a:1']), sample.replace(/\[\n  "10[^\]]*\]/, '["a:1"]'));
});

test('a removed key takes its line along and nothing else', () => {
  assert.equal(setKey(sample, 'read_timeout', undefined), sample.replace('read_timeout = "30s"\n', ''));
  assert.equal(setKey(sample, 'missing', undefined), sample);
});

test('a new key goes behind the last one, before sub-tables', () => {
  const text = '[plugins.a]\ncategory = "x"\n\n# about b\n[plugins.a.b]\nc = 1';
  assert.equal(setKey(text, 'max', 3), '[plugins.a]\ncategory = "x"\nmax = 3\n\n# about b\n[plugins.a.b]\nc = 1');
  assert.equal(setKey('[upstreams.a]', 'x', true), '[upstreams.a]\nx = true\n');
  assert.equal(setKey('[upstreams.a]\nx = 1', 'y', 2), '[upstreams.a]\nx = 1\ny = 2\n');
});

test('a key that is spread over tables is replaced as a whole', () => {
  const text = '[plugins.a]\n[[plugins.a.l]]\nx = 1\n[[plugins.a.l]]\nx = 2\n';
  assert.equal(setKey(text, 'l', [{ x: 3 }]), '[plugins.a]\nl = [{ x = 3 }]\n');
  assert.equal(setKey('[plugins.a]\nd.x = 1\nd.y = 2\n', 'd', { z: 1 }), '[plugins.a]\nd = { z = 1 }\n');
});

test('another name goes into every header and into nothing else', () => {
  const text = `${sample}[upstreams.api.sub]\nx = "[upstreams.api]"\n`;
  const renamed = rename(text, 'shop.v2');
  assert.equal(readObject(renamed).name, 'shop.v2');
  assert.match(renamed, /\[upstreams\."shop\.v2"\] # a comment/);
  assert.match(renamed, /\[upstreams\."shop\.v2"\.sub\]\nx = "\[upstreams\.api\]"/);
  assert.match(renamed, /\[upstreams\.trap\]/);
});

test('what is written is read back as it was', () => {
  const values = {
    s: 'plain',
    q: 'a "b" \\d+',
    both: `'"\\`,
    lines: 'a\nb\n',
    cr: 'a\r\nb',
    nul: '\u0000\u007f',
    uni: 'é中😀',
    i: 3,
    f: 1.5,
    b: false,
    l: ['a', 'b'],
    long: Array.from({ length: 40 }, (_, i) => `backend-${i}.example.com:80`),
    t: [{ a: 1, 'b c': ['x'] }],
    m: { 'k y': 'v' },
    e: [],
    edge: "ends with '\n'",
  };
  assert.deepEqual(readObject(objectText('plugins', 'x.y', values)).values, values);
});

test('texts are written so that people can read them', () => {
  assert.equal(valueText('^/a/(\\d+)$'), `'^/a/(\\d+)$'`);
  assert.equal(valueText('x'), '"x"');
  assert.equal(valueText('a\nb'), "'''\na\nb'''");
});

test('any sequence of edits leaves a text that says what was set', () => {
  let seed = 7;
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const pool = ['a', 1, true, ['x', 'y\n'], { k: 'v' }, 'lines\nof text', '# no comment', '[no.header]', "'''", '"""', undefined];
  let text = sample;
  const want = { ...readObject(sample).values };
  for (let i = 0; i < 2000; i++) {
    const key = ['algo', 'ca', 'k1', 'k 2', 'addrs', '__proto__'][random(5)];
    const value = pool[random(pool.length)];
    text = setKey(text, key, value);
    if (value === undefined) delete want[key];
    else want[key] = value;
  }
  assert.deepEqual(readObject(text).values, want);
});

test('entries that were left empty go before a text is kept', () => {
  assert.equal(tidy('[servers.a]\nlocations = ["x", ""] # two\nmodules = [""]\n'), '[servers.a]\nlocations = ["x"] # two\n');
  assert.equal(tidy('[servers.a'), '[servers.a');
});
