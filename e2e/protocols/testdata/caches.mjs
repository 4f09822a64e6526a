// Runs all of npm's http-cache-tests but those for browsers: its origin and its client are here, the cache is what is between them.
//
//   node caches.mjs FOLDER       the package; prints the port of the origin, reads the address of the cache, prints a JSON list of
//                                {id, kind, result, why}
//
// The origin is the package's own, but listens on loopback only. What it counts as passed is decided by the package as well: a test
// that depends on one that failed has not passed.
import http from 'node:http';
import { createRequire } from 'node:module';
import readline from 'node:readline';

const folder = process.argv[2];
const atOnce = 50; // tests; most of them wait for seconds

const part = (name) => import(`${folder}/${name}`);
const tests = (await part('tests/index.mjs')).default;
const handlers = {};
for (const name of ['config', 'test', 'state']) handlers[name] = (await part(`server/handle-${name}.mjs`)).default;
const { setFetch, setBaseUrl } = await part('client/config.mjs');
const { makeCacheTest, testResults } = await part('client/test.mjs');
const { determineTestResult } = await part('lib/display.mjs');

const print = console.log;
console.log = console.error; // the origin says there what it was not asked for

const origin = http.createServer((request, response) => {
  // Some cases send more than their Content-Length says. On a connection that was used before, a proxy may take an answer with something behind it
  // for one that nobody asked for, and refuse it. So none is used twice.
  response.shouldKeepAlive = false;
  const [, kind, ...rest] = new URL(request.url, 'http://origin').pathname.split('/');
  if (handlers[kind]) return handlers[kind](rest, request, response);
  response.writeHead(404).end();
});
origin.listen(0, '127.0.0.1', () => print(origin.address().port));

const [base] = await new Promise((resolve) => readline.createInterface({ input: process.stdin }).once('line', (line) => resolve([line.trim()])));
setFetch(createRequire(`${folder}/cli.mjs`)('node-fetch'));
setBaseUrl(base);

const chosen = tests.flatMap((suite) => suite.tests).filter((test) => !test.browser_only);
for (let i = 0; i < chosen.length; i += atOnce) await Promise.all(chosen.slice(i, i + atOnce).map(makeCacheTest));

// The last of what determineTestResult returns is a mark.
const words = { '✅': 'pass', Y: 'pass', '⛔️': 'fail', '⚠️': 'fail', N: 'fail', '🔹': 'setup', '⁉️': 'harness', '⚪️': 'dependency', '↻': 'retry', '-': 'untested' };
print(JSON.stringify(chosen.map((test) => ({
  id: test.id, kind: test.kind ?? 'required', result: words[determineTestResult(tests, test.id, testResults)[2]],
  why: Array.isArray(testResults[test.id]) ? testResults[test.id].join(': ') : '',
}))));
process.exit(0);
