import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { clean, copyOf, env, files, images, onVolume, ours, promise, tidy, tool, whole } from '../pool.ts';

/** The images of the pool as another driver left them: writable, one with a working copy, and nothing noted. */
async function foreign(dir: string, material: string): Promise<void> {
  await copyOf(dir, material);
  await rm(join(dir, 'pool/.platter'), { recursive: true });
  await succeed(['sh', '-c', 'chmod 0600 vm/*'], { cwd: join(dir, 'pool') });
  for (const name of (await readdir(join(dir, 'pool/vm'))).filter((one) => one.startsWith('root.img')))
    await cp(join(dir, 'pool/vm', name), join(dir, 'pool/vm', name.replace('root', 'data')));
  await cp(join(dir, 'pool/vm/root.img'), join(dir, 'pool/vm/data-dirty.img'));
}

/** No image came, went or changed. */
async function untouched(dir: string): Promise<void> {
  const letters = Object.entries(await images(dir)).map(([path, letter]) => [path.replace(/@.*/, ''), letter]);
  expect(Object.fromEntries(letters)).toEqual({
    'vm/root.img': 'B',
    'vm/root.img.1': 'A',
    'vm/data.img': 'B',
    'vm/data.img.1': 'A',
    'vm/data-dirty.img': 'B',
  });
}

const adopt = (needs: CrashCase['needs'], ...words: string[]): CrashCase => ({
  name: `reflink-pool adopt (${needs[1]})`,
  needs,
  env,
  material: onVolume.material,
  keeps: ['no image is renamed, copied, changed or removed', promise.temporaries],
  prepare: foreign,
  command: () => [tool, 'adopt', ...words],
  interrupted: async (dir, at) => {
    await untouched(dir);
    await tidy(dir, at);
  },
  settled: async (dir) => {
    await untouched(dir);
    expect(await ours(dir, 'list', '-o', 'name')).toBe('vm/data\nvm/root\n');
    expect(await ours(dir, 'list', '--revisions', '-o', 'name')).toBe('vm/data@1\nvm/root@1\n');
    expect(await ours(dir, 'adopt')).toMatch(/^vm\/data +already .*\nvm\/root +already .*\n$/);
    expect(Object.keys(await files(dir)).filter((path) => path.startsWith('.platter/volumes'))).toHaveLength(2);
    await clean(dir);
  },
});

export const cases: readonly CrashCase[] = [
  adopt(['root', 'xfs']),
  adopt(['root', 'btrfs']),
  adopt(['root', 'ext4'], '--allow-copy'),
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
