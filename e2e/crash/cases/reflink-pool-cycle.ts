import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { CrashCase } from '../case.ts';
import { clean, copyOf, head, images, onVolume, ours, promise, started, states, tool, whole, work } from '../pool.ts';

/** Started, written to and never stopped before the machine went down. */
async function outlived(dir: string, material: string): Promise<void> {
  await started(dir, material, 'C');
  const path = join(dir, 'pool/.platter/sessions/vm%2Froot.json');
  const session = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...session, bootId: 'another' }));
}

const follower = async (dir: string, material: string, ...words: string[]) => {
  await copyOf(dir, material);
  await ours(dir, 'create', 'ci', '--kind', 'snapshot', '--source', 'vm/root', ...words);
};

export const cases: readonly CrashCase[] = [
  {
    ...onVolume,
    name: 'reflink-pool start --on-dirty commit',
    needs: ['root', 'xfs'],
    keeps: [...onVolume.keeps, promise.work],
    prepare: outlived,
    command: () => [tool, 'start', 'vm/root', '--on-dirty', 'commit'],
    interrupted: async (dir, at) => {
      await whole(['B'], ['B', 'C'])(dir, at);
      expect([await head(dir), await work(dir)]).toContain('C');
    },
    settled: async (dir) => {
      expect([await head(dir), await work(dir)]).toEqual(['C', 'C']);
      expect(await states(dir)).toEqual(expect.arrayContaining(['B', 'C']));
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool start --on-dirty discard',
    needs: ['root', 'xfs'],
    prepare: outlived,
    command: () => [tool, 'start', 'vm/root', '--on-dirty', 'discard', '--confirm=vm/root'],
    bestEffort: /could not be pruned/,
    interrupted: async (dir, at) => {
      expect(await work(dir)).toBeOneOf(['C', undefined, 'B']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect([await head(dir), await work(dir)]).toEqual(['B', 'B']);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool revert --discard',
    needs: ['root', 'xfs'],
    prepare: (dir, material) => started(dir, material, 'C'),
    command: () => [tool, 'revert', 'vm/root@1', '--discard', '--confirm=vm/root'],
    interrupted: async (dir, at) => {
      expect(await work(dir)).toBeOneOf(['C', undefined]);
      await whole(['A', 'B'], ['A', 'B'])(dir, at);
    },
    settled: async (dir) => {
      expect([await head(dir), await work(dir)]).toEqual(['A', undefined]);
      expect(await states(dir)).toEqual(['A', 'B']);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool import --abort',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      const open = JSON.parse(await ours(dir, 'import', 'vm/root', '--begin', '--size', '64K', '-o', 'json'));
      const words = `exec reflink-pool import vm/root --abort ${open.token}\n`;
      await writeFile(join(dir, 'abort'), `#!/bin/sh\n${words}`, { mode: 0o755 });
    },
    command: (dir) => [join(dir, 'abort')],
    accepts: [0, 3],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect((await images(dir))['vm/root-import.img']).toBeUndefined();
      expect((await ours(dir, 'show', 'vm/root')).includes('import')).toBe(false);
      await whole(['A', 'B'], ['B'])(dir, { fault: 'kill', n: 0 });
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool start (read-only snapshot)',
    needs: ['root', 'xfs'],
    prepare: (dir, material) => follower(dir, material, '--read-only'),
    command: () => [tool, 'start', 'ci'],
    interrupted: async (dir, at) => {
      expect(await head(dir, 'ci')).toBeOneOf([undefined, 'B']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect(await head(dir, 'ci')).toBe('B');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool stop (snapshot)',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await follower(dir, material);
      await ours(dir, 'start', 'ci');
    },
    command: () => [tool, 'stop', 'ci'],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect([await head(dir, 'ci'), await work(dir, 'ci')]).toEqual([undefined, undefined]);
      await whole(['A', 'B'], ['B'])(dir, { fault: 'kill', n: 0 });
      await clean(dir);
    },
  },
];
