import { open, readdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { clean, files, head, images, onVolume, ours, promise, scribble, states, tool, whole } from '../pool.ts';

/** A third state of the volume: A (revision 1), B (revision 2) and C (head). */
async function committed(dir: string): Promise<void> {
  await onVolume.material(dir);
  await ours(dir, 'prune', 'vm/root', '--policy', 'min=all', '--save');
  await ours(dir, 'start', 'vm/root');
  await scribble(dir, 'C');
  await ours(dir, 'stop', 'vm/root', '--no-prepare');
}

/** The numbers of the revisions that are there. */
const numbers = async (dir: string): Promise<string> =>
  Object.keys(await images(dir))
    .flatMap((name) => /\.img\.(\d+)@[^~]*Z$/.exec(name)?.[1] ?? [])
    .join(' ');

/** The number that the next commit gives. */
async function nextNumber(dir: string): Promise<string> {
  await ours(dir, 'start', 'vm/root');
  await scribble(dir, 'D');
  await ours(dir, 'stop', 'vm/root', '--no-prepare');
  return numbers(dir);
}

const policyIn = async (dir: string, file: string) =>
  JSON.parse(await readFile(join(dir, 'pool/.platter', file), 'utf8')).policy;

const prune = (name: string, words: readonly string[], left: string): CrashCase => ({
  ...onVolume,
  name,
  needs: ['root', 'xfs'],
  material: committed,
  command: () => [tool, 'prune', 'vm/root', ...words],
  interrupted: whole(['C'], ['C']),
  settled: async (dir) => {
    expect([await head(dir), await numbers(dir)]).toEqual(['C', left]);
    await clean(dir);
  },
});

const highest = prune('reflink-pool prune (the highest number)', ['--policy', 'min=none'], '');
const saving = prune('reflink-pool prune --save', ['--policy', 'count=1', '--save'], '2');
const room = prune('reflink-pool prune (room)', [], '');

/** The same with bytes of its own, and a policy that wants the room of both revisions beside what is free. */
async function crowded(dir: string, material: string): Promise<void> {
  await succeed(['cp', '-a', '--reflink=never', `${material}/.`, dir]);
  await succeed(['sync', '-f', dir]);
  const { bavail, bsize } = await statfs(dir);
  const words = `exec reflink-pool prune vm/root --policy count=all,free=${bavail * bsize + 98_304}\n`;
  await writeFile(join(dir, 'prune'), `#!/bin/sh\n${words}`, { mode: 0o755 });
}

/** An export and a set of revision 1, whose time has been over for long. */
async function withOverdue(dir: string): Promise<void> {
  await committed(dir);
  const hidden = join(dir, 'pool/.platter');
  await ours(dir, 'export', 'vm/root@1', '--expires', '1h');
  const expiresAt = '2001-01-01T00:00:00Z';
  for (const name of await readdir(join(hidden, 'exports'))) {
    if (!name.endsWith('.json')) continue;
    const path = join(hidden, 'exports', name);
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), expiresAt }));
  }
  const members = [{ volume: 'vm/root', number: 1 }];
  await writeFile(join(hidden, 'sets/nightly.json'), JSON.stringify({ members, expiresAt }));
}

/** The same bytes again in every other block: the head then lies in many pieces. */
async function scattered(dir: string): Promise<void> {
  await ours(dir, 'start', 'vm/root');
  await using file = await open(join(dir, 'pool/vm/root-dirty.img'), 'r+');
  for (let block = 0; block < 16; block += 2) await file.write('C'.repeat(4096), block * 4096);
  await file.sync();
  await file.close();
  await ours(dir, 'stop', 'vm/root', '--no-prepare');
}

const flat = (name: string, needs: CrashCase['needs']): CrashCase => ({
  ...onVolume,
  name,
  needs,
  keeps: [...onVolume.keeps, 'no revision comes or goes, and the names of the head stay its names'],
  material: async (dir) => {
    await committed(dir);
    await scattered(dir);
    await ours(dir, 'snapshot', 'vm/root', '--label', 'here');
    await ours(dir, 'start', 'vm/root', '--prepare');
  },
  command: () => [tool, 'flatten', 'vm/root'],
  interrupted: whole(['A', 'B', 'C'], ['C']),
  settled: async (dir) => {
    expect([await head(dir), await numbers(dir)]).toEqual(['C', '1 2 3 4']);
    expect(await ours(dir, 'show', 'vm/root@here')).toContain('head  here');
    expect((await images(dir))['vm/root-precache.img']).toBe(undefined);
    expect(JSON.parse(await ours(dir, 'frag', 'vm/root', '-o', 'json')).mappings).toBe(1);
    await clean(dir);
  },
});

/** What a probe leaves of itself, which is nothing. */
async function untouched(dir: string): Promise<void> {
  const names = await readdir(join(dir, 'pool'));
  expect(names.filter((name) => name.includes('probe'))).toEqual([]);
}

export const cases: readonly CrashCase[] = [
  prune('reflink-pool prune', ['--policy', 'count=1'], '2'),
  {
    ...highest,
    settled: async (dir) => {
      await highest.settled(dir);
      expect(await nextNumber(dir)).toBe('3');
    },
  },
  {
    ...saving,
    settled: async (dir) => {
      await saving.settled(dir);
      expect(await policyIn(dir, 'volumes/vm%2Froot.json')).toBe('min=none,count=1');
    },
  },
  { ...room, prepare: crowded, command: (dir) => [join(dir, 'prune')] },
  {
    ...onVolume,
    name: 'reflink-pool prune (expired export and set)',
    needs: ['root', 'xfs'],
    material: withOverdue,
    command: () => [tool, 'prune', 'vm/root', '--policy', 'count=1'],
    interrupted: whole(['B', 'C'], ['C']),
    settled: async (dir) => {
      expect([await numbers(dir), await states(dir)]).toEqual(['2', ['B', 'C']]);
      const left = Object.keys(await files(dir)).filter((path) => /\.platter\/(exports|sets)\//.test(path));
      expect(left).toEqual([]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool prune --save (the default of the pool)',
    needs: ['root', 'xfs'],
    keeps: ['pool.json is whole, with the old policy or the new one', promise.temporaries],
    command: () => [tool, 'prune', '--policy', 'min=1w', '--save'],
    interrupted: async (dir, at) => {
      expect(await policyIn(dir, 'pool.json')).toBeOneOf(['min=latest,count=1', 'min=1w']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect(await policyIn(dir, 'pool.json')).toBe('min=1w');
      await clean(dir);
    },
  },
  flat('reflink-pool flatten', ['root', 'xfs']),
  flat('reflink-pool flatten (btrfs)', ['root', 'btrfs']),
  {
    ...onVolume,
    name: 'reflink-pool probe',
    needs: ['root', 'xfs'],
    keeps: ['nothing is left of it after the rerun, and nothing where the run could clean up'],
    command: () => [tool, 'probe'],
    interrupted: async (dir, at) => {
      if (at.fault === 'enospc' || at.fault === 'int') await untouched(dir);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      await untouched(dir);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool probe --calibrate --save',
    needs: ['root', 'xfs'],
    keeps: ['pool.json is whole, with what was measured or without', promise.temporaries],
    command: () => [tool, 'probe', '--calibrate', '--save'],
    interrupted: async (dir, at) => {
      if (at.fault === 'enospc' || at.fault === 'int') await untouched(dir);
      await ours(dir, 'show');
    },
    settled: async (dir) => {
      const { calibration } = JSON.parse(await ours(dir, 'show', '-o', 'json'));
      expect(calibration).toMatchObject({ fsType: 'xfs', usPerMapping: expect.any(Number) });
      await untouched(dir);
      await clean(dir);
    },
  },
];
