import { existsSync } from 'node:fs';
import { defineConfig } from 'tsup';
import { writeNotices } from './scripts/notices.ts';

const needsRequire = "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);\n";

/** One build for every tool, run in its directory: an entry, shared chunks, and the bulk-data worker where a tool has one. */
export default defineConfig({
  entry: { cli: 'src/cli.ts', ...(existsSync('src/worker.ts') ? { worker: 'src/worker.ts' } : {}) },
  format: 'esm',
  platform: 'node',
  target: 'node22',
  outExtension: () => ({ js: '.mjs' }),
  splitting: true,
  clean: true,
  silent: true,
  noExternal: [/.*/],
  removeNodeProtocol: false,
  esbuildPlugins: [
    {
      name: 'the licences of what is bundled',
      setup: (build) => {
        build.initialOptions.metafile = true;
        build.onEnd(({ metafile }) => writeNotices(Object.keys(metafile?.inputs ?? {}), 'dist'));
      },
    },
  ],
  plugins: [
    {
      name: 'require only in chunks that hold CommonJS',
      renderChunk: (code) => (code.includes('typeof require') ? { code: needsRequire + code } : undefined),
    },
  ],
});
