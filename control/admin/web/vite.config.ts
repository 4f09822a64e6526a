import { defineConfig } from 'vite';
import { mock } from './mock/plugin.ts';

// The panel is built into dist/, which is checked in; `make panel` does it, and a test holds that a fresh build gives the same bytes.
export default defineConfig({
  base: './', // every URL is relative, so that any sub-path works
  plugins: [mock()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: ['chrome123', 'firefox124', 'safari17.5'],
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content security policy allows no data: URLs
    modulePreload: { polyfill: false },
    cssCodeSplit: true,
    reportCompressedSize: false,
    sourcemap: false,
    license: false,
  },
});
