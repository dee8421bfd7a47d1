import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missing } from '../ground/probe.ts';
import { root } from '../ground/run.ts';
import type { Bench } from './bench.ts';
import { measure } from './measure.ts';
import { keep, page, table } from './page.ts';

/** `node e2e/bench/run.ts [name...]`: runs the benches whose names begin so, or all, and writes docs/bench.md. */
const wanted = process.argv.slice(2);
const files = globSync('benches/*.ts', { cwd: import.meta.dirname }).sort();
const modules = await Promise.all(
  files.map((file) => import(join(import.meta.dirname, file)) as Promise<{ benches: Bench[] }>),
);
const benches = modules
  .flatMap((module) => module.benches)
  .filter(({ name }) => wanted.length === 0 || wanted.some((start) => name.startsWith(start)));

for (const bench of benches) {
  const reasons = missing(bench.needs);
  if (reasons.length > 0) {
    console.error(`left out: ${bench.name}: ${reasons.join('; ')}`);
    continue;
  }
  try {
    const result = await measure(bench);
    keep(result);
    process.stdout.write(`${table([result]).split('\n').at(-2)}\n`);
  } catch (error) {
    console.error(`${bench.name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
writeFileSync(join(root, 'docs/bench.md'), page());
