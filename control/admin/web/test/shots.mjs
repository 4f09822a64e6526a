// Takes pictures of pages and asks axe about them: node test/shots.mjs FOLDER [URL] [page ...]. Without a URL it serves dist/ with the mock behind.
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [folder = 'shots', from = '', ...only] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
mkdirSync(folder, { recursive: true });

let server;
let base = from;
if (!base || base === '-') {
  const { preview } = await import('vite');
  server = await preview({ preview: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
  base = server.resolvedUrls.local[0];
}
const pages = only.length ? only : ['/', '/backends', '/workers', '/validity', '/logs', '/explain?method=GET&url=https%3A%2F%2Fshop.example%2Fproduct%2F1', '/history', '/history?version=11', '/ledger', '/audit', '/routes', '/servers', '/locations', '/upstreams', '/upstreams?name=api', '/plugins', '/certificates', '/storages', '/basic', '/config', '/changes'];
const forms = [
  { name: 'desktop-light', viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
  { name: 'desktop-dark', viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
  { name: 'mobile-light', viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true, isMobile: true },
  { name: 'mobile-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true, isMobile: true },
].filter((f) => !process.env.FORM || f.name.includes(process.env.FORM));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let bad = 0;
for (const form of forms) {
  const context = await browser.newContext({ ...form, locale: process.env.LOCALE ?? 'en-US', reducedMotion: 'reduce', bypassCSP: true });
  const page = await context.newPage();
  page.on('pageerror', (e) => (bad++, console.log('error', form.name, e.message)));
  page.on('console', (m) => m.type() === 'error' && console.log('console', form.name, m.text()));
  await page.goto(base);
  for (const path of pages) {
    await page.evaluate((p) => (location.hash = p), path);
    await page.waitForTimeout(path === '/' ? 2500 : 900);
    const name = path === '/' ? 'dashboard' : path.slice(1).replace(/[?=&%:/.]+/g, '-').slice(0, 40);
    await page.screenshot({ path: join(folder, `${name}-${form.name}.png`), fullPage: Boolean(process.env.FULL) });
    await page.addScriptTag({ path: axe });
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'], rules: { 'label-content-name-mismatch': { enabled: true } } }));
    for (const v of found.violations) {
      console.log(v.impact, form.name, path, v.id, v.nodes.slice(0, 3).map((n) => n.target.join(' ') + (v.id === 'color-contrast' ? ' ' + n.any[0]?.message : '')).join(' | '));
      if (v.impact === 'serious' || v.impact === 'critical') bad++;
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) console.log('wide', form.name, path, wide);
  }
  await context.close();
}
await browser.close();
await server?.close();
console.log(`${bad} serious findings and errors`);
process.exitCode = bad ? 1 : 0;
process.exit();
