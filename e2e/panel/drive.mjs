// Drives the panel of a running instance in Chromium, as an operator would: panel_test.go starts both and reads what this prints.
// A line "ok: ..." for each step that holds; anything that does not is an error, and ends the run.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const env = (name) => {
  assert.ok(process.env[name], `${name} is not set`);
  return process.env[name];
};
const require = createRequire(join(env('PANEL_MODULES'), 'x.js'));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

const panel = env('PANEL_URL');
const proxy = env('PANEL_PROXY');
const backend = env('PANEL_BACKEND');
const narrow = env('PANEL_FORM') === 'mobile';
const shots = process.env.PANEL_SHOTS;
const wait = { timeout: 30_000 };

const browser = await chromium.launch({ executablePath: process.env.PANEL_CHROMIUM, args: ['--no-sandbox'] });
const context = await browser.newContext({
  viewport: narrow ? { width: 390, height: 844 } : { width: 1440, height: 900 },
  hasTouch: narrow, isMobile: narrow, locale: 'en-US', reducedMotion: 'reduce', colorScheme: narrow ? 'dark' : 'light',
});
const page = await context.newPage();
page.setDefaultTimeout(wait.timeout);
const strangers = [];
const mistakes = [];
const logged = [];
page.on('request', (r) => new URL(r.url()).host !== new URL(panel).host && strangers.push(r.url()));
page.on('console', (m) => m.type() === 'error' && logged.push(m.text()));
page.on('pageerror', (e) => mistakes.push(e.message));
page.on('console', (m) => /Content Security Policy|Trusted/i.test(m.text()) && mistakes.push(m.text()));

const ok = (text) => console.log(`ok: ${text}`);
const go = async (hash) => {
  await page.evaluate((h) => (location.hash = h), hash);
  await page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('main .skel'), undefined, wait);
};
const button = (name) => page.getByRole('button', { name, exact: true });
const adds = () => page.getByRole('link', { name: 'Add', exact: true });
const status = async (path) => (await fetch(proxy + path, { signal: AbortSignal.timeout(10_000) })).status;

/** picture keeps the page as it is, where somebody wants to look at it. */
async function picture(name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${process.env.PANEL_FORM}-${name}.png`) });
}

/** judged asks axe about the page that is shown. Its script gets in by the debugger: the policy of the page lets no other way. */
async function judged(name) {
  await picture(name);
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(require('node:fs').readFileSync(axe, 'utf8'));
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'], rules: { 'label-content-name-mismatch': { enabled: true } } }));
  const bad = found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical' || v.id === 'heading-order');
  assert.deepEqual(bad.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(', ')}`), [], `${name} has serious findings`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${name} is ${over} px wider than the screen`);
}

async function logIn() {
  await page.goto(panel);
  await page.getByLabel('User').fill('maria');
  assert.deepEqual(logged, [], 'the browser logs an error before anybody has done anything');
  assert.ok(!(await page.content()).includes('shop-eu'), 'nobody is told the name of the instance');
  await page.getByLabel('Password').fill('wrong');
  await judged('login');
  await button('Log in').click();
  await page.getByText('User or password is wrong.').waitFor(wait);
  await page.getByLabel('Password').fill(env('PANEL_PASSWORD'));
  await button('Log in').click();
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor(wait);
  ok('a wrong password is refused, the right one lets in');
  await page.waitForFunction(() => document.title === 'Dashboard · shop-eu · pingap', undefined, wait);
  assert.equal(await page.locator('.brand .name').textContent(), 'shop-eu');
  ok('the name of the instance stands in the title and beside the logo');
}

/** key is the line of a key in the form, whose group is opened. */
async function key(name) {
  const row = page.locator(`[data-key="${name}"]`);
  await row.waitFor({ state: 'attached' });
  await row.evaluate((e) => e.closest('details')?.setAttribute('open', ''));
  return row;
}

async function apply() {
  await button('Apply 1 change').or(page.getByRole('button', { name: /^Apply \d+ changes$/ })).click();
  await page.getByText('live everywhere').waitFor(wait);
}

async function addUpstream() {
  await go('#/upstreams?name=*');
  await page.getByLabel('Name').first().fill('fresh');
  const addrs = await key('addrs');
  await addrs.locator('.entries > button').click();
  await addrs.locator('input').first().fill(backend);
  await judged('upstream-form');
  await button('Add to draft').click();
}

async function addLocation() {
  await go('#/locations?name=*');
  await page.getByLabel('Name').first().fill('fresh');
  await (await key('path')).locator('input').first().fill('/fresh');
  await (await key('upstream')).locator('select').first().selectOption('fresh');
  await button('Add to draft').click();
  await go('#/servers?name=web');
  await (await key('locations')).locator('select').last().selectOption('fresh');
  await button('Review and apply').click();
}

async function createAndServe() {
  assert.equal(await status('/fresh'), 404);
  await addUpstream();
  await addLocation();
  await page.getByRole('heading', { level: 1, name: 'Review the draft' }).waitFor(wait);
  await judged('review');
  await apply();
  assert.equal(await status('/fresh'), 200);
  await judged('applied');
  ok('an upstream and a location are created in one change, and served');
}

async function breakAndRead() {
  await go('#/upstreams?name=fresh');
  const addrs = await key('addrs');
  await addrs.locator('input').first().fill('not an address');
  const error = addrs.locator('.field-error');
  await error.waitFor(wait);
  assert.match(await error.innerText(), /not an address|address|port/i);
  await judged('mistake');
  ok(`a mistake is said at its field: ${(await error.innerText()).trim().split('\n')[0]}`);
  await button('Discard').click();
}

async function rollBack() {
  await go('#/history');
  await judged('history');
  await page.getByRole('button', { name: 'Roll back' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('.typed section').filter({ hasText: /deleted\s*location\s*fresh/ }).waitFor(wait);
  await judged('rollback');
  await dialog.getByRole('button', { name: 'Roll back' }).click();
  await page.getByText(/is live again/).waitFor(wait);
  assert.equal(await status('/fresh'), 404);
  ok('the version before is live again');
}

async function watchLoad() {
  await go('#/');
  const tile = page.locator('.tile').filter({ hasText: 'Requests/s' }).locator('.value');
  await tile.waitFor(wait);
  let busy = true;
  const load = async () => {
    while (busy) await fetch(`${proxy}/load`).then((r) => r.arrayBuffer(), () => undefined);
  };
  const clients = Array.from({ length: 4 }, load);
  await page.waitForFunction(() => {
    const tiles = [...document.querySelectorAll('.tile')];
    const text = tiles.find((e) => e.textContent.includes('Requests/s'))?.querySelector('.value')?.textContent ?? '';
    return parseFloat(text.replace(/,/g, '')) > 10;
  }, undefined, wait);
  await page.locator('.chart canvas').first().waitFor(wait);
  await judged('dashboard');
  await watchLog();
  busy = false;
  await Promise.all(clients);
  ok('dashboard and log move under load');
}

async function watchLog() {
  await go('#/logs');
  await page.locator('.log li').filter({ hasText: '/load' }).first().waitFor(wait);
  await judged('logs');
}

async function explain() {
  await go('#/explain');
  await page.getByLabel('URL').fill(`${proxy}/load`);
  await button('Explain').click();
  await page.locator('.steps .won').filter({ hasText: 'main' }).first().waitFor(wait);
  await judged('explain');
  ok('the way of a request is shown');
}

async function drain() {
  await go('#/backends');
  const name = `Service of ${backend}`;
  await page.getByRole('group', { name }).first().getByRole('button', { name: 'Drain' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  await page.getByText('gets only requests of clients that stick to it').waitFor(wait);
  await judged('backends');
  await page.getByRole('group', { name }).first().getByRole('button', { name: 'Up' }).click();
  await page.getByText('is in service').waitFor(wait);
  ok('a backend is drained and put back');
}

const pages = ['workers', 'validity', 'ledger', 'audit', 'routes', 'servers', 'locations', 'upstreams', 'plugins', 'certificates', 'storages', 'basic', 'config', 'changes'];

async function others() {
  for (const name of pages) {
    await go(`#/${name}`);
    await judged(name);
  }
  ok(`${pages.length} further pages have no serious findings`);
}

async function palette() {
  await go('#/');
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Jump to' }).fill('audit');
  await judged('palette');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Audit log' }).waitFor(wait);
  ok('the palette jumps');
}

async function speakChinese() {
  await page.getByRole('button', { name: 'Language' }).click();
  await page.getByRole('menuitemradio', { name: '中文' }).click();
  await page.getByRole('heading', { level: 1, name: '审计日志' }).waitFor(wait);
  await judged('chinese');
  ok('the other language is shown');
}

async function everything() {
  await logIn();
  await createAndServe();
  await breakAndRead();
  await rollBack();
  await watchLoad();
  await explain();
  await drain();
  await others();
  await palette();
  await speakChinese();
}

/** alone is the panel of a configuration that is not served there: what is changed is saved, and nothing says that it is live. */
async function alone() {
  await logIn();
  const note = page.getByText('This process is the panel only');
  for (const name of ['', 'upstreams', 'history']) {
    await go(`#/${name}`);
    await note.waitFor(wait);
  }
  await go('#/upstreams');
  assert.equal(await adds().count(), 1);
  await go('#/upstreams?name=main');
  await (await key('addrs')).locator('input').first().fill('127.0.0.1:9');
  await button('Review and apply').click();
  await button('Save 1 change').waitFor(wait);
  await page.locator('.diff .added').first().waitFor(wait);
  await judged('alone-review');
  await button('Save 1 change').click();
  await page.getByRole('heading', { level: 1, name: 'Saved' }).waitFor(wait);
  await judged('alone-saved');
  ok('a panel of its own saves, and says that nothing is applied');
}

/** locked is the panel of a source that cannot be written: it says why, and offers no change. */
async function locked() {
  await logIn();
  const note = page.getByText('Nothing can be saved here');
  await go('#/upstreams');
  await note.waitFor(wait);
  await judged('locked-list');
  assert.equal(await adds().count(), 0);
  await go('#/upstreams?name=main');
  assert.ok(await (await key('addrs')).locator('input').first().isDisabled());
  await judged('locked-form');
  await go('#/');
  assert.equal(await note.count(), 0, 'a page that changes nothing has nothing to say of it');
  ok('what cannot be saved is not offered');
}

try {
  await { everything, alone, locked }[process.env.PANEL_WAY ?? 'everything']();
  assert.deepEqual(strangers, [], 'requests left the host');
  assert.deepEqual(mistakes, [], 'errors in the page');
  ok('no request left the host, no error in the page');
} catch (e) {
  await picture('failed').catch(() => undefined);
  console.log(`failed at ${page.url()}: ${e.stack}`);
  console.log((await page.locator('main').innerText().catch(() => '')).slice(0, 2000));
  process.exitCode = 1;
} finally {
  await browser.close();
}
