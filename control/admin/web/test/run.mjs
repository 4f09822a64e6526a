// Bundles every *.test.ts below src and runs them all with node's own runner: no further package is needed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const tests = readdirSync(join(top, 'src'), { recursive: true }).filter((name) => /\.test\.tsx?$/.test(name)).map((name) => join(top, 'src', name));
const input = Object.fromEntries(tests.map((file) => [relative(top, file).replace(/[\\/]/g, '-').replace(/\.tsx?$/, ''), file]));
const dir = mkdtempSync(join(tmpdir(), 'panel-test-'));
try {
  const bundle = await rolldown({ input, platform: 'node', external: [/^node:/], transform: { jsx: { runtime: 'automatic', importSource: 'preact' } }, moduleTypes: { '.css': 'empty' }, logLevel: 'silent' });
  await bundle.write({ dir, format: 'esm', entryFileNames: '[name].mjs' });
  const files = Object.keys(input).map((name) => join(dir, `${basename(name)}.mjs`));
  const run = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
