import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import {
  clean,
  copyOf,
  env,
  files,
  head,
  image,
  images,
  onVolume,
  ours,
  promise,
  scribble,
  started,
  states,
  tidy,
  tool,
  whole,
  work,
} from '../pool.ts';

/** Notes that revision 1 of a volume belongs to the set. */
async function mark(dir: string, volume: string): Promise<void> {
  const path = (name: string) => join(dir, 'pool/.platter/volumes', `${name.replace('/', '%2F')}.json`);
  const known = JSON.parse(await readFile(path('vm/root'), 'utf8'));
  const first = Object.keys(await images(dir)).find((name) => name.startsWith(`${volume}.img.1@`)) ?? '';
  const { size, mtimeNs } = await stat(join(dir, 'pool', first), { bigint: true });
  const facts = {
    size: Number(size),
    mtimeNs: `${mtimeNs}`,
    side: false,
    label: null,
    pins: [],
    expiresAt: null,
    set: 'nightly',
  };
  await writeFile(path(volume), JSON.stringify({ ...known, name: volume, revisions: { 1: facts } }));
}

/** A second volume with the same states, and a set of the first state of both. */
async function withSet(dir: string, material: string): Promise<void> {
  await copyOf(dir, material);
  const root = (await readdir(join(dir, 'pool/vm'))).filter((name) => name.startsWith('root.img'));
  for (const name of root)
    await cp(join(dir, 'pool/vm', name), join(dir, 'pool/vm', name.replace('root', 'data')), {
      preserveTimestamps: true,
    });
  const members = ['vm/root', 'vm/data'].map((volume) => ({ volume, number: 1 }));
  for (const { volume } of members) await mark(dir, volume);
  await writeFile(join(dir, 'pool/.platter/sets/nightly.json'), JSON.stringify({ members }));
}

const stop = (name: string, needs: CrashCase['needs']): CrashCase => ({
  ...onVolume,
  name,
  needs,
  keeps: [...onVolume.keeps, promise.work],
  prepare: (dir, material) => started(dir, material, 'C'),
  command: () => [tool, 'stop', 'vm/root'],
  bestEffort: /could not be pruned/,
  interrupted: async (dir, at) => {
    await whole(['B'], ['B', 'C'])(dir, at);
    expect([await head(dir), await work(dir)]).toContain('C');
  },
  settled: async (dir, at) => {
    expect([await head(dir), await work(dir)]).toEqual(['C', undefined]);
    expect(await states(dir)).toEqual(at === undefined ? ['B', 'C'] : expect.arrayContaining(['B', 'C']));
    await clean(dir);
  },
});

export const cases: readonly CrashCase[] = [
  {
    name: 'reflink-pool init',
    needs: ['root', 'xfs'],
    keeps: ['the directory is a pool or is none yet', promise.temporaries],
    prepare: async (dir) => void (await succeed(['mkdir', join(dir, 'pool')])),
    env,
    command: () => [tool, 'init'],
    interrupted: (dir, at) => tidy(dir, at),
    settled: async (dir) => {
      await clean(dir);
      expect(Object.keys(await files(dir))).toEqual(['.platter/locks/%pool', '.platter/pool.json']);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool create',
    needs: ['root', 'xfs'],
    keeps: ['the volume is there whole or not at all', promise.temporaries],
    command: () => [tool, 'create', 'vm/new/data', '--size', '64K'],
    accepts: [0, 3],
    interrupted: async (dir, at) => {
      expect((await images(dir))['vm/new/data.img']).toBeOneOf([undefined, '\0']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect((await images(dir))['vm/new/data.img']).toBe('\0');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool create (snapshot)',
    needs: ['root', 'xfs'],
    command: () => [tool, 'create', 'ci', '--kind', 'snapshot', '--source', 'vm/root'],
    accepts: [0, 3],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect(await ours(dir, 'show', 'ci')).toContain('snapshot  stopped  of vm/root');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool import',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      await writeFile(join(dir, 'C.raw'), image('C'));
    },
    command: (dir) => [tool, 'import', 'vm/root', join(dir, 'C.raw')],
    bestEffort: /could not be pruned/,
    interrupted: whole(['B'], ['B', 'C']),
    settled: async (dir) => {
      expect(await head(dir)).toBe('C');
      expect(await states(dir)).toEqual(expect.arrayContaining(['B', 'C']));
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool import (new volume, stdin, digest)',
    needs: ['root', 'xfs'],
    command: () => [tool, 'import', 'vm/new', '-', '--create'],
    stdin: () => image('C'),
    interrupted: async (dir, at) => {
      expect(await head(dir, 'vm/new')).toBeOneOf([undefined, 'C']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect(await head(dir, 'vm/new')).toBe('C');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool import --begin',
    needs: ['root', 'xfs'],
    command: () => [tool, 'import', 'vm/root', '--begin', '--size', '64K'],
    accepts: [0, 4],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect((await images(dir))['vm/root-import.img']).toBe('\0');
      expect(await ours(dir, 'show', 'vm/root')).toMatch(/import [0-9a-f]{12} open/);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool import --commit',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      const open = JSON.parse(await ours(dir, 'import', 'vm/root', '--begin', '--size', '64K', '-o', 'json'));
      await writeFile(open.path, image('C'), { flag: 'r+' });
      const words = `exec reflink-pool import vm/root --commit ${open.token}\n`;
      await writeFile(join(dir, 'commit'), `#!/bin/sh\n${words}`, { mode: 0o755 });
    },
    command: (dir) => [join(dir, 'commit')],
    accepts: [0, 3],
    bestEffort: /could not be pruned/,
    interrupted: async (dir, at) => {
      await whole(['B'], ['B', 'C'])(dir, at);
      expect(Object.values(await images(dir))).toContain('C');
    },
    settled: async (dir) => {
      expect(await head(dir)).toBe('C');
      expect((await images(dir))['vm/root-import.img']).toBeUndefined();
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool start',
    needs: ['root', 'xfs'],
    command: () => [tool, 'start', 'vm/root'],
    interrupted: async (dir, at) => {
      expect(await work(dir)).toBeOneOf([undefined, 'B']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect(await work(dir)).toBe('B');
      expect(await ours(dir, 'list')).toContain('running');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool start --prepare, start (prepared)',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      await ours(dir, 'start', 'vm/root', '--prepare');
    },
    command: () => [tool, 'start', 'vm/root'],
    interrupted: async (dir, at) => {
      expect(await work(dir)).toBeOneOf([undefined, 'B']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect([await work(dir), (await images(dir))['vm/root-precache.img']]).toEqual(['B', undefined]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool start --prepare',
    needs: ['root', 'xfs'],
    command: () => [tool, 'start', 'vm/root', '--prepare'],
    interrupted: async (dir, at) => {
      expect((await images(dir))['vm/root-precache.img']).toBeOneOf([undefined, 'B']);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect((await images(dir))['vm/root-precache.img']).toBe('B');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool start (snapshot)',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      await ours(dir, 'create', 'ci', '--kind', 'snapshot', '--source', 'vm/root');
    },
    command: () => [tool, 'start', 'ci'],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect([await head(dir, 'ci'), await work(dir, 'ci')]).toEqual(['B', 'B']);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool start (volatile), stop (volatile)',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      await ours(dir, 'create', 'tmp', '--kind', 'volatile', '--size', '64K');
    },
    command: () => [tool, 'start', 'tmp'],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect(await work(dir, 'tmp')).toBe('\0');
      await ours(dir, 'stop', 'tmp');
      expect(await work(dir, 'tmp')).toBeUndefined();
      await clean(dir);
    },
  },
  stop('reflink-pool stop', ['root', 'xfs']),
  stop('reflink-pool stop (btrfs)', ['root', 'btrfs']),
  {
    ...onVolume,
    name: 'reflink-pool stop (unclean working copy)',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await started(dir, material, 'C');
      await cp(join(dir, 'pool/vm/root-dirty.img'), join(dir, 'W'));
      await succeed(['rm', join(dir, 'pool/.platter/sessions/vm%2Froot.json')]);
    },
    command: () => [tool, 'stop', 'vm/root'],
    interrupted: whole(['A', 'B'], ['B', 'C']),
    settled: async (dir) => {
      expect([await head(dir), await work(dir)]).toEqual(['C', undefined]);
      expect(await states(dir)).toEqual(expect.arrayContaining(['B', 'C']));
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool stop (nothing was written)',
    needs: ['root', 'xfs'],
    prepare: (dir, material) => started(dir, material),
    command: () => [tool, 'stop', 'vm/root'],
    bestEffort: /could not be pruned/,
    interrupted: whole(['B'], ['B']),
    settled: async (dir) => {
      expect([await head(dir), await work(dir)]).toEqual(['B', undefined]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool stop --discard --label',
    needs: ['root', 'xfs'],
    prepare: (dir, material) => started(dir, material, 'C'),
    command: () => [tool, 'stop', 'vm/root', '--discard', '--label', 'broken'],
    bestEffort: /could not be pruned/,
    interrupted: async (dir, at) => {
      await whole(['B'], ['B'])(dir, at);
      expect(Object.values(await images(dir))).toContain('C');
    },
    settled: async (dir) => {
      expect([await head(dir), await work(dir)]).toEqual(['B', undefined]);
      expect(await states(dir)).toEqual(expect.arrayContaining(['B', 'C']));
      expect(await ours(dir, 'show', 'vm/root@broken')).toContain('side  broken');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool stop --discard',
    needs: ['root', 'xfs'],
    prepare: (dir, material) => started(dir, material, 'C'),
    command: () => [tool, 'stop', 'vm/root', '--discard', '--confirm=vm/root'],
    bestEffort: /could not be pruned/,
    interrupted: whole(['B'], ['B']),
    settled: async (dir) => {
      expect([await head(dir), await work(dir)]).toEqual(['B', undefined]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool revert',
    needs: ['root', 'xfs'],
    command: () => [tool, 'revert', 'vm/root@1'],
    interrupted: whole(['A', 'B'], ['A', 'B']),
    settled: async (dir) => {
      expect([await head(dir), await states(dir)]).toEqual(['A', ['A', 'B']]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool remove',
    needs: ['root', 'xfs'],
    keeps: ['what is not of the volume stays', promise.temporaries],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      await writeFile(join(dir, 'pool/vm/root.img.old'), 'foreign');
    },
    command: () => [tool, 'remove', 'vm/root', '--confirm=vm/root'],
    interrupted: async (dir, at) => {
      expect((await images(dir))['vm/root.img.old']).toBe('7 bytes');
      await tidy(dir, at);
    },
    settled: async (dir) => {
      expect(await images(dir)).toEqual({ 'vm/root.img.old': '7 bytes' });
      expect(Object.keys(await files(dir)).filter((path) => path.startsWith('.platter/volumes'))).toEqual([]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool remove (one revision)',
    needs: ['root', 'xfs'],
    command: () => [tool, 'remove', 'vm/root@1', '--confirm=vm/root@1'],
    accepts: [0, 3],
    interrupted: whole(['B'], ['B']),
    settled: async (dir) => {
      expect(await states(dir)).toEqual(['B']);
      await ours(dir, 'start', 'vm/root');
      await scribble(dir, 'C');
      expect(await ours(dir, 'stop', 'vm/root')).toContain('vm/root@2');
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool revert --set',
    needs: ['root', 'xfs'],
    keeps: ['all members are reverted or none, as soon as any verb has touched one', promise.temporaries],
    prepare: withSet,
    command: () => [tool, 'revert', '--set', 'nightly'],
    interrupted: async (dir, at) => {
      const listed = await ours(dir, 'list', '--revisions', '-o', 'name');
      expect(listed).toContain('vm/root@1');
      await tidy(dir, at);
    },
    settled: async (dir) => {
      expect([await head(dir), await head(dir, 'vm/data')]).toEqual(['A', 'A']);
      expect(Object.keys(await files(dir)).filter((path) => path.endsWith('.revert'))).toEqual([]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool remove --set',
    needs: ['root', 'xfs'],
    keeps: ['no head is touched', promise.temporaries],
    prepare: withSet,
    command: () => [tool, 'remove', '--set', 'nightly', '--confirm=nightly'],
    interrupted: async (dir, at) => {
      expect([await head(dir), await head(dir, 'vm/data')]).toEqual(['B', 'B']);
      await tidy(dir, at);
    },
    settled: async (dir) => {
      expect([await head(dir), await head(dir, 'vm/data')]).toEqual(['B', 'B']);
      expect(await ours(dir, 'list', '--sets')).toBe('');
      expect(await states(dir)).toEqual(['B']);
      await clean(dir);
    },
  },
];
