import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { standOn } from '../ground/filesystem.ts';
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

async function run(bench: Bench, dir: string): Promise<void> {
  try {
    const result = await measure(bench, dir);
    keep(result);
    process.stdout.write(`${table([result]).split('\n').at(-2)}\n`);
  } catch (error) {
    console.error(`${bench.name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

/** Benches on a ground of their own: one, or all that look at the same material. */
async function runAll(those: readonly Bench[], { needs, space, on }: Bench): Promise<void> {
  const reasons = missing([...needs, ...(on?.needs ?? [])]);
  if (reasons.length > 0) return console.error(`left out: ${those.map(({ name }) => name)}: ${reasons.join('; ')}`);
  await using ground = await standOn(on?.needs ?? needs, on?.space ?? space);
  await on?.make(ground.path);
  for (const bench of those) await run(bench, ground.path);
}

const alone = benches.filter(({ on }) => on === undefined).map((bench) => [bench]);
const together = Map.groupBy(
  benches.filter(({ on }) => on !== undefined),
  ({ on }) => on,
);
for (const those of [...alone, ...together.values()]) await runAll(those, those[0] as Bench);
writeFileSync(join(root, 'docs/bench.md'), page());
