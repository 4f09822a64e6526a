// The ws package of npm as client and as server. Only what a proxy can spoil is checked.
//
//   node ws.cjs server [CERT KEY]                        prints its port; ends with its standard input
//   node ws.cjs client URL h1|h2 [CA]                    runs all cases: "ok NAME" or "not ok NAME: reason" for each
'use strict';
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const http2 = require('node:http2');
const crypto = require('node:crypto');
const { WebSocket, WebSocketServer } = require('ws');

const MiB = 1 << 20;
const limit = 20_000; // ms that a case may take

// ---- server

function serve(cert, key) {
  const web = cert ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }) : http.createServer();
  const server = new WebSocketServer({ server: web, perMessageDeflate: { threshold: 0 }, maxPayload: 8 * MiB,
    handleProtocols: (offered) => (offered.has('second') ? 'second' : false) });
  const closes = []; // code and reason of connections that came with ?name=
  server.on('connection', (ws, request) => {
    const url = new URL(request.url, 'http://a');
    const name = url.searchParams.get('name');
    ws.on('close', (code, reason) => name && closes.push(`${name} ${code} ${reason}`));
    ws.on('error', () => {}); // a close follows
    actions(ws, url.pathname, closes, request);
  });
  web.listen(0, '127.0.0.1', () => console.log(web.address().port));
  process.stdin.resume().on('end', () => process.exit(0));
}

function actions(ws, path, closes, request) {
  switch (path) {
    case '/fragments': {
      const part = Buffer.alloc(MiB / 64, 7);
      for (let i = 0; i < 64; i++) {
        ws.send(part, { fin: i === 63, binary: true, compress: false });
        if (i % 16 === 0) ws.ping('between');
      }
      return;
    }
    case '/ping':
      ws.on('pong', (data) => ws.send(`pong ${data}`));
      return ws.ping('from the server');
    case '/close':
      return ws.close(4002, 'bye');
    case '/terminate':
      return ws.terminate();
    case '/closes':
      return ws.send(JSON.stringify(closes));
    case '/fields':
      return ws.send(JSON.stringify(request.headers));
  }
  ws.on('message', (data, binary) => ws.send(data, { binary }));
}

// ---- client

const [, , role, base, version, ca] = process.argv;
const trust = ca ? { ca: fs.readFileSync(ca) } : {};

// open returns a WebSocket and the promise of its opening. What arrives before somebody listens is kept.
async function open(path, options = {}) {
  const ws = version === 'h2' ? await overHTTP2(path) : new WebSocket(base + path, options.protocols ?? [], { ...trust, ...options });
  ws.inbox = [];
  ws.on('message', (data, binary) => { ws.inbox.push({ data, binary }); ws.emit('arrived'); });
  ws.on('error', (err) => { ws.broken = err; ws.emit('arrived'); });
  ws.on('close', (code, reason) => { ws.closed = { code, reason: String(reason) }; ws.emit('arrived'); });
  if (ws.readyState === WebSocket.CONNECTING) await once(ws, 'open');
  return ws;
}

let session; // one connection for all WebSockets over HTTP/2

// overHTTP2 is RFC 8441, which ws does not speak: the stream is handed to it as if it were a socket after the upgrade.
async function overHTTP2(path) {
  const url = new URL(base.replace(/^ws/, 'http') + path);
  if (!session || session.destroyed) {
    session = http2.connect(url.origin, trust);
    const [settings] = await once(session, 'remoteSettings');
    if (!settings.enableConnectProtocol) throw new Error('SETTINGS_ENABLE_CONNECT_PROTOCOL is not set');
    session.setLocalWindowSize(8 * MiB);
  }
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': url.pathname + url.search,
    'sec-websocket-version': '13', origin: url.origin, 'x-test': 'over h2' });
  const [head] = await once(stream, 'response');
  if (head[':status'] !== 200) throw new Error(`status ${head[':status']}`);
  const ws = new WebSocket(null, undefined, { autoPong: true, closeTimeout: limit });
  ws._isServer = false;
  process.nextTick(() => ws.setSocket(stream, Buffer.alloc(0), { maxPayload: 8 * MiB, skipUTF8Validation: false, allowSynchronousEvents: true }));
  return ws;
}

async function next(ws) {
  while (ws.inbox.length === 0) {
    if (ws.broken || ws.closed) throw new Error(`no message: ${ws.broken ?? JSON.stringify(ws.closed)}`);
    await once(ws, 'arrived');
  }
  return ws.inbox.shift();
}

async function closed(ws) {
  while (!ws.closed) await once(ws, 'arrived');
  return ws.closed;
}

async function echo(ws, data, options) {
  ws.send(data, options);
  const got = await next(ws);
  same(got.data, Buffer.from(data));
  equal(got.binary, typeof data !== 'string');
}

function same(got, want) {
  if (Buffer.compare(got, want) !== 0) throw new Error(`${got.length} bytes came back that differ from the ${want.length} sent`);
}

function equal(got, want) {
  if (got !== want) throw new Error(`got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

// serverSaw waits until the server has seen a connection end.
async function serverSaw(name) {
  for (let i = 0; i < 100; i++) {
    const ws = await open('/closes');
    const line = JSON.parse((await next(ws)).data).find((l) => l.startsWith(name + ' '));
    ws.close();
    if (line) return line.slice(name.length + 1).trim();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the server did not see the end');
}

const cases = {
  async text() {
    const ws = await open('/echo');
    await echo(ws, 'grüße 😀');
    await echo(ws, '');
    ws.close();
  },
  async sizes() {
    const ws = await open('/echo');
    for (const n of [0, 1, 125, 126, 65535, 65536, MiB, MiB + 1]) await echo(ws, crypto.randomBytes(n), { compress: false });
    ws.close();
  },
  async compressed() {
    const ws = await open('/echo', { perMessageDeflate: { threshold: 0 } });
    if (version === 'h1' && !ws.extensions.includes('permessage-deflate')) throw new Error('the extension was lost');
    await echo(ws, 'again and again '.repeat(70_000));
    ws.close();
  },
  async fragmentsToServer() {
    const ws = await open('/echo');
    const whole = crypto.randomBytes(MiB);
    for (let i = 0; i < 16; i++) {
      ws.send(whole.subarray((i * MiB) / 16, ((i + 1) * MiB) / 16), { binary: true, fin: i === 15, compress: false });
      if (i === 7) ws.ping('in the middle');
    }
    const [data] = await once(ws, 'pong');
    equal(String(data), 'in the middle');
    same((await next(ws)).data, whole);
    ws.close();
  },
  async fragmentsFromServer() {
    const ws = await open('/fragments');
    same((await next(ws)).data, Buffer.alloc(MiB, 7));
    ws.close();
  },
  async pingFromClient() {
    const ws = await open('/echo');
    ws.ping(Buffer.alloc(125, 1));
    const [data] = await once(ws, 'pong');
    equal(data.length, 125);
    ws.close();
  },
  async pingFromServer() {
    const ws = await open('/ping');
    equal(String((await next(ws)).data), 'pong from the server');
    ws.close();
  },
  async closeByClient() {
    const name = crypto.randomUUID();
    const ws = await open(`/echo?name=${name}`);
    await echo(ws, 'before');
    ws.close(4001, 'enough');
    equal(JSON.stringify(await closed(ws)), '{"code":4001,"reason":"enough"}');
    equal(await serverSaw(name), '4001 enough');
  },
  async closeByServer() {
    const ws = await open('/close');
    equal(JSON.stringify(await closed(ws)), '{"code":4002,"reason":"bye"}');
  },
  async clientVanishes() {
    const name = crypto.randomUUID();
    const ws = await open(`/echo?name=${name}`);
    await echo(ws, 'before');
    ws.terminate();
    equal(await serverSaw(name), '1006');
  },
  async serverVanishes() {
    const ws = await open('/terminate');
    equal((await closed(ws)).code, 1006);
  },
  async protocols() {
    if (version === 'h2') return; // needs the handshake that ws would do
    const ws = await open('/echo', { protocols: ['first', 'second'] });
    equal(ws.protocol, 'second');
    ws.close();
  },
  async fields() {
    const ws = await open('/fields', { headers: { 'X-Test': 'over h1' } });
    equal(JSON.parse((await next(ws)).data)['x-test'], 'over ' + version);
    ws.close();
  },
  async manyMessages() {
    const ws = await open('/echo');
    for (let i = 0; i < 2000; i++) ws.send(`${i} ${'x'.repeat(i % 300)}`, { compress: false });
    for (let i = 0; i < 2000; i++) equal(String((await next(ws)).data), `${i} ${'x'.repeat(i % 300)}`);
    ws.close();
  },
  async manyAtOnce() {
    await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const ws = await open('/echo');
      await echo(ws, Buffer.alloc(10_000, i));
      ws.close(1000);
      equal((await closed(ws)).code, 1000);
    }));
  },
};

async function client() {
  let failed = 0;
  for (const [name, run] of Object.entries(cases)) {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit); });
    try {
      await Promise.race([run(), late]);
      console.log(`ok ${name}`);
    } catch (err) {
      failed++;
      console.log(`not ok ${name}: ${err.message}`);
    }
    clearTimeout(timer);
  }
  process.exit(failed ? 1 : 0);
}

process.on('unhandledRejection', (err) => console.log(`not ok (unhandled): ${err.message}`));
if (role === 'server') serve(process.argv[3], process.argv[4]);
else client();
