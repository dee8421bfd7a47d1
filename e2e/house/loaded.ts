import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment } from '../ground/run.ts';
import { entry } from './tools.ts';

/** What a run of a tool loaded: bytes of our files, and the npm packages that were bundled into them. */
export interface Loaded {
  bytes: number;
  packages: string[];
}

/** esbuild writes the path of each bundled module above it: `// ../../node_modules/.pnpm/<package>@<version>.../node_modules/...`. */
export const packagesIn = (code: string): string[] =>
  [...code.matchAll(/^\s*\/\/ .*?node_modules\/\.pnpm\/((?:@[^/+@]+\+)?[^/@]+)@/gm)].map((match) =>
    (match[1] as string).replace('+', '/'),
  );

/** Runs a built tool and looks at what Node loaded for it. */
export function loadedBy(tool: string, words: readonly string[]): Loaded {
  const argv = ['--import', join(import.meta.dirname, 'record-loads.ts'), entry(tool), ...words];
  const { output, status } = spawnSync('node', argv, { env: environment(), stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  if (status !== 0) throw new Error(`${tool} ${words.join(' ')}: exit ${status}\n${output[2]}`);
  const paths = String(output[3])
    .split('\n')
    .filter((line) => line.includes('/dist/'));
  const code = paths.map((path) => readFileSync(path, 'utf8'));
  return {
    bytes: code.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    packages: [...new Set(code.flatMap(packagesIn))].sort(),
  };
}
