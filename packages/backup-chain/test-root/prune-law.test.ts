import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import type { Disk } from '../test/model.ts';
import { dispose, pruned, undoAll, Vm } from './pruning-vm.ts';

afterAll(dispose);

const words = fc.record({
  policy: fc.array(
    fc.tuple(
      fc.constantFrom('--keep-last', '--keep-daily', '--keep-weekly', '--keep-within'),
      fc.integer({ min: 1, max: 3 }),
    ),
    { minLength: 1, maxLength: 2 },
  ),
  fold: fc.constantFrom('auto', 'always', 'never'),
  strategy: fc.constantFrom('merge', 'merge', 'whole-chain'),
});
const changes = fc.array(fc.nat(30), { maxLength: 4 });
const happening = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      disks: fc.constantFrom(['data'], ['logs'], ['data', 'logs']),
      write: changes,
      zero: changes,
      full: fc.boolean(),
      size: fc.option(fc.integer({ min: 1, max: 5000 }), { freq: 5 }),
    }),
  },
  { weight: 3, arbitrary: words },
  { weight: 1, arbitrary: fc.record({ pin: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ merge: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ undo: fc.nat(9) }) },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const pruneWords = ({
  policy,
  fold,
  strategy,
}: {
  policy: [string, number][];
  fold: string;
  strategy: string;
}): string[] => [
  ...[...new Map(policy)].flatMap(([flag, n]) => [flag, flag === '--keep-within' ? `${n * 2}d` : String(n)]),
  ...['--fold', fold, '--strategy', strategy],
];

/** Merges the oldest points into the first that a set names: what prune leaves hidden. */
async function mergeSome(vm: Vm, n: number): Promise<void> {
  const [disk = 'data'] = [...vm.disks.keys()].slice(n % 2);
  if (!existsSync(join(vm.path, 'disks', disk))) return;
  const points = vm.points(disk);
  const to = points.findIndex((id) => vm.ids('sets').some((set) => vm.sets.get(set)?.has(disk) && set === id));
  if (to > 0) await vm.run('merge', `default/db/${disk}@${points[0]}..${points[to]}`);
}

async function happen(vm: Vm, what: Happening): Promise<void> {
  if ('write' in what) {
    for (const name of what.disks) {
      const disk = vm.disks.get(name) as Disk;
      if (what.size !== null) disk.resize(what.size * 512);
      disk.write(...what.write).zero(...what.zero);
    }
    await vm.capture(what.disks, ...(what.full ? ['--full'] : []));
  } else if ('policy' in what) {
    const argv = pruneWords(what);
    await vm.prune(...argv);
    const once = vm.files();
    expect(pruned(await vm.prune(...argv))).toMatchObject({ expired: [], actions: [], bytesTrashed: 0 });
    expect(vm.files()).toEqual(once);
  } else if ('pin' in what) {
    const ids = vm.ids('sets');
    if (ids.length > 0)
      await vm.must('pin', `default/db@${ids[what.pin % ids.length]}`, '--name', 'p', '--until', '3d');
  } else if ('merge' in what) await mergeSome(vm, what.merge);
  else {
    const entries = existsSync(join(vm.path, 'trash')) ? await vm.entries() : [];
    const entry = entries[what.undo % entries.length];
    if (entry) expect((await vm.run('trash', 'restore', entry.name)).code).toBeOneOf([0, 3]);
  }
}

describe('laws', () => {
  it('any captures, pins, prunes, merges and undoings keep what every set names, exactly (L5, I8)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 6, maxLength: 14 }), async (history) => {
        const vm = await new Vm().init('data', 'logs');
        await vm.capture();
        for (const what of history) {
          await happen(vm, what);
          await vm.must('validate', '--level', 'meta');
        }
        await vm.holds();
        rmSync(vm.folder, { recursive: true });
      }),
      effort(5),
    );
  }, 600_000);

  it('a prune that is undone entry by entry leaves what was there before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 4, maxLength: 8 }), words, async (history, wish) => {
        const vm = await new Vm().init('data', 'logs');
        for (const what of history) if ('write' in what) await happen(vm, what);
        if (vm.sets.size === 0) return;
        const before = vm.files();
        await vm.prune(...pruneWords(wish));
        await undoAll(vm);
        expect(vm.files()).toEqual(before);
        rmSync(vm.folder, { recursive: true });
      }),
      effort(4),
    );
  }, 600_000);
});
