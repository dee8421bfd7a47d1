import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { clean, copyOf, files, images, onVolume, ours, promise, tidy, tool, whole, work } from '../pool.ts';

/** The images of the pool as another driver left them: writable, with a working copy, and nothing noted. */
async function foreign(dir: string, material: string): Promise<void> {
  await copyOf(dir, material);
  await rm(join(dir, 'pool/.platter'), { recursive: true });
  await cp(join(dir, 'pool/vm/root.img'), join(dir, 'pool/vm/root-dirty.img'));
  await succeed(['sh', '-c', 'chmod 0600 vm/*'], { cwd: join(dir, 'pool') });
}

/** The same in a pool that is one already, in which nothing is noted of the volume. */
async function unknown(dir: string, material: string): Promise<void> {
  await copyOf(dir, material);
  await rm(join(dir, 'pool/.platter/volumes/vm%2Froot.json'));
  await succeed(['sh', '-c', 'chmod 0600 vm/*'], { cwd: join(dir, 'pool') });
}

/** No image came, went or changed. */
async function untouched(dir: string): Promise<void> {
  const letters = Object.entries(await images(dir)).map(([path, letter]) => [path.replace(/@.*/, ''), letter]);
  expect(Object.fromEntries(letters)).toMatchObject({ 'vm/root.img': 'B', 'vm/root.img.1': 'A' });
  expect(await work(dir)).toBeOneOf([undefined, 'B']);
}

const adopt = (name: string, needs: CrashCase['needs'], prepare: CrashCase['prepare']): CrashCase => ({
  ...onVolume,
  name,
  needs,
  prepare,
  keeps: ['no image is renamed, copied, changed or removed', promise.temporaries],
  command: () => [tool, 'adopt'],
  interrupted: async (dir, at) => {
    await untouched(dir);
    await tidy(dir, at);
  },
  settled: async (dir) => {
    await untouched(dir);
    expect(await ours(dir, 'list', '--revisions', '-o', 'name')).toBe('vm/root@1\n');
    expect(await ours(dir, 'adopt')).toMatch(/^vm\/root +already .*\n$/);
    expect(Object.keys(await files(dir)).filter((path) => path.startsWith('.platter/volumes'))).toHaveLength(1);
    await clean(dir);
  },
});

export const cases: readonly CrashCase[] = [
  adopt('reflink-pool adopt', ['root', 'xfs'], foreign),
  adopt('reflink-pool adopt (in a pool)', ['root', 'btrfs'], unknown),
  {
    ...onVolume,
    name: 'reflink-pool verify --record',
    needs: ['root', 'xfs'],
    command: () => [tool, 'verify', '--record'],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect(await ours(dir, 'verify', '--content')).toBe(
        'vm/root  ok\nvm/root@head  ok  content\nvm/root@1  ok  content\n',
      );
      await clean(dir);
    },
  },
];
