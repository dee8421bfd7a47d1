import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dice } from '../../../e2e/ground/images.ts';
import { type Ran, tool } from '../test/tool.ts';
import { sets } from './damage/manifests.ts';
import { makeOthers } from './damage/others.ts';
import { l1At } from './damage/place.ts';
import { qemuSays } from './damage/qemu.ts';
import type { Loose, Others } from './damage/row.ts';
import { damages } from './damage/rows.ts';
import { Bench, dataFile, digestFile, type Fixture, flip, newest } from './repository.ts';

const BITS = Number(process.env.PLATTER_ROUNDS ?? 40);
const SEED = Number(process.env.PLATTER_SEED ?? 1);

const bench = new Bench();
const goal = join(bench.folder, 'restored');
let others: Others;
beforeAll(async () => {
  await bench.make();
  others = await makeOthers(join(bench.folder, 'others'));
});
afterAll(() => bench.dispose());

const levels = ['meta', 'fast', 'deep'] as const;

/** What a failure says, with what it says it of. */
const told = ({ failure }: Ran): string => `${failure?.message}\n${failure?.details.by ?? ''}`;

/** A run that ends as the matrix says, and when it fails names the object and says why. */
function holds(ran: Ran, code: number, [what, object]: readonly [string, string]): void {
  expect([ran.code, ran.misfits], `${what}: ${ran.failure?.stack}`).toEqual([code, []]);
  if (code === 0) return;
  expect(told(ran), what).toContain(object);
  expect(told(ran).split(object).at(-1), what).toMatch(/: \S+ \S+/);
}

async function restores(words: readonly string[]): Promise<Ran> {
  rmSync(goal, { force: true });
  return tool(['restore', ...words, '--file', '--to', goal]);
}

async function looseHolds(f: Fixture, { codes, flags = [], layers = [0, 1, 2, 3] }: Loose, object: string) {
  const words = ['validate', '--files', ...layers.map((n) => dataFile(f, n)), ...flags, '--level'];
  for (const [n, level] of (['fast', 'deep'] as const).entries())
    holds(await tool([...words, level]), codes[n] as number, [`loose, ${level}`, object]);
  const root = join(bench.folder, 'imported');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  await tool(['init', '--repo', root]);
  const disks = layers.map((n) => `data=${dataFile(f, n)}`);
  holds(await tool(['import', '--repo', root, '--vm', 'db', ...disks, ...flags]), codes[0], ['import', object]);
}

describe('corruption matrix, asked for i3', () => {
  it.each(damages.map((damage) => ({ name: `${damage.row} ${damage.what}`, damage })))('$name', async ({ damage }) => {
    const f = bench.copy();
    damage.make(f, others);
    const address = `default/db/data@${f.ids[3]}`;
    const object = damage.blames(f);
    for (const [n, level] of levels.entries())
      holds(await tool(['validate', address, '--repo', f.root, '--level', level]), damage.codes[n] as number, [
        level,
        object,
      ]);
    const restored = await restores([address, '--repo', f.root]);
    holds(restored, damage.codes[3], ['restore', object]);
    if (restored.code === 0) expect(readFileSync(goal).equals(newest())).toBe(true);
    if (damage.loose) await looseHolds(f, damage.loose, damage.loose.blames?.(f) ?? object);
    if (damage.qemu) expect(qemuSays(f, damage, bench.folder)).toBe(damage.qemu);
  });

  it.each(sets)('$row $what: the set is damaged, its points are not', async ({ make, blames }) => {
    const f = bench.copy();
    make(f, others);
    const at = async (address: string, ...more: string[]) => tool(['validate', address, '--repo', f.root, ...more]);
    for (const level of levels) {
      holds(await at(`default/db@${f.ids[3]}`, '--level', level), 5, [level, blames(f)]);
      holds(await at(`default/db/data@${f.ids[3]}`, '--level', level), 0, [level, '']);
      expect((await tool(['validate', '--repo', f.root, '--level', level])).code).toBe(5);
    }
    expect((await restores([`default/db@${f.ids[3]}`, '--repo', f.root, '--disk', 'data'])).code).toBe(5);
    expect((await restores([`default/db/data@${f.ids[3]}`, '--repo', f.root])).code).toBe(0);
    expect(readFileSync(goal).equals(newest())).toBe(true);
  });

  it(`any one bit of ${BITS} of the chain's files: deep tells, and a restore fails or is exact`, async () => {
    const f = bench.copy();
    const roll = dice(SEED);
    for (let round = 0; round < BITS; round += 1) {
      const path = roll.pick([dataFile, digestFile])(f, roll.below(4));
      const [at, bit] = [roll.below(statSync(path).size), 2 ** roll.below(8)];
      flip(path, at, bit);
      const words = [`default/db/data@${f.ids[3]}`, '--repo', f.root];
      holds(await tool(['validate', ...words, '--level', 'deep']), 5, [`seed ${SEED}, ${at} of ${path}`, path]);
      const restored = await restores(words);
      if (restored.code === 0) expect(readFileSync(goal).equals(newest())).toBe(true);
      else holds(restored, 5, [`seed ${SEED}, ${at} of ${path}`, path]);
      flip(path, at, bit);
    }
  });

  it('2 loose, i1 left out: nothing can be said against it, and that is said', async () => {
    const f = bench.copy();
    const ran = await tool(['validate', '--files', dataFile(f, 0), dataFile(f, 2), dataFile(f, 3)]);
    expect(ran.code).toBe(0);
    expect(ran.text.join('\n')).toContain('order and completeness are taken from you');
  });

  it('names the file, the place, the reason, every point that is lost, and the way out', async () => {
    const f = bench.copy();
    flip(dataFile(f, 1), l1At + 5);
    const { records, failure } = await tool(['validate', `default/db/data@${f.ids[3]}`, '--repo', f.root]);
    const [finding] = (records[0] as { findings: { object: string; at: number; dependents: string[] }[] }).findings;
    expect(finding).toMatchObject({ object: dataFile(f, 1), at: l1At, dependents: f.ids.slice(1) });
    expect(failure?.details.by).toContain(dataFile(f, 1));
    expect(failure?.hint).toContain('backup-chain restore --files');
  });
});
