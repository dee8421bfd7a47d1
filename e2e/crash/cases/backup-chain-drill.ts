import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { at, capturing, image, proven, remember, repo, size, sound, tidy } from '../chain.ts';

/** A repository with one point, whose disk holds an ext4. */
async function withFilesystem(dir: string): Promise<void> {
  await mkdir(repo(dir));
  await succeed(at(dir, ['init']));
  await writeFile(image(dir), new Uint8Array(size));
  await succeed(['mkfs.ext4', '-q', '-F', image(dir)]);
  await succeed(capturing(dir));
}

const folder = (dir: string): string => join(repo(dir), 'vms/default/db/receipts');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Receipt {
  result: string;
  filesystems: { type: string; result: string }[];
  previous: string | null;
}

/** Every receipt says that all is well, and follows the one before. */
async function chained(dir: string): Promise<number> {
  const names = existsSync(folder(dir)) ? (await readdir(folder(dir))).filter((name) => name.endsWith('.json')) : [];
  const real = names.filter((name) => !name.startsWith('.tmp-')).sort();
  let before: string | null = null;
  for (const name of real) {
    const text = await readFile(join(folder(dir), name), 'utf8');
    const { result, filesystems, previous } = JSON.parse(text) as Receipt;
    expect([result, filesystems, previous]).toEqual(['ok', [expect.objectContaining({ result: 'ok' })], before]);
    before = sha256(text);
  }
  return real.length;
}

const drilling = (name: string, needs: CrashCase['needs'], ...words: string[]): CrashCase => ({
  name,
  needs,
  keeps: [
    'a receipt is absent or complete, tells of a sound disk, and follows the one before',
    'no byte of a published file ever changes',
    'after the rerun there is no scratch file, no mount and no temporary',
  ],
  material: withFilesystem,
  prepare: async (dir, material) => {
    await cp(material, dir, { recursive: true });
    await remember(dir);
  },
  command: (dir) => at(dir, ['drill', 'default/db/data@latest', ...words]),
  interrupted: async (dir) => {
    await sound(dir);
    await chained(dir);
  },
  settled: async (dir) => {
    await proven(dir);
    await tidy(dir);
    expect(await chained(dir)).toBeOneOf([1, 2]);
  },
});

export const cases: readonly CrashCase[] = [
  drilling('backup-chain drill (scratch)', []),
  drilling('backup-chain drill (overlay)', ['root', 'fuse', 'qemu-storage-daemon'], '--via', 'overlay'),
];
