import { randomBytes, randomInt } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { type DifferOptions, differ } from '../src/differ.ts';
import { total } from '../src/extents.ts';
import { hold } from '../src/hold.ts';
import { local } from '../src/local.ts';

const blocks = 64;
const block = 4096;

/** One random way to change a file: bytes, zeros, holes, reserved space, a new size. */
async function scribble(path: string): Promise<void> {
  const [at, count] = [randomInt(blocks), 1 + randomInt(6)];
  const range = ['-o', String(at * block), '-l', String(count * block)];
  const kind = randomInt(5);
  if (kind === 0) await succeed(['fallocate', '-p', ...range, path]);
  else if (kind === 1)
    await run(['fallocate', '-z', '-n', ...range, path]); // btrfs before 6.x cannot keep the size
  else if (kind === 2) await succeed(['truncate', '-s', String((blocks - 8 + randomInt(16)) * block), path]);
  else {
    await using file = await open(path, 'r+');
    await file.write(randomBytes(count * 512), 0, undefined, at * block + 512 * randomInt(8));
  }
}

async function difference(a: string, b: string, options: DifferOptions) {
  const [from, to] = [hold(a), hold(b)];
  try {
    return await differ(local(), { from, to }, options);
  } finally {
    from.close();
    to.close();
  }
}

/** Every byte outside the ranges must be equal, and every range of zeros must be zeros. */
async function sound(a: string, b: string, options: DifferOptions): Promise<void> {
  const [found, before, after] = [await difference(a, b, options), await readFile(a), await readFile(b)];
  const patched = Buffer.alloc(after.length);
  before.copy(patched, 0, 0, Math.min(before.length, after.length));
  for (const { at, length } of found.ranges) after.copy(patched, at, at, at + length);
  expect(patched.equals(after)).toBe(true);
  for (const { at, length } of found.zeros)
    expect(after.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
}

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs('root', filesystem)(`the difference of two files on ${filesystem}`, () => {
    it('misses nothing after random changes, whatever the method', async () => {
      await using folder = await mounted(filesystem);
      if (filesystem === 'btrfs') await succeed(['mount', '-o', 'remount,compress-force=zstd', folder.path]);
      const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')];
      await writeFile(a, randomBytes(blocks * block));
      for (let round = 0; round < 12; round += 1) {
        const how = filesystem === 'ext4' ? 'never' : 'always';
        await succeed(['cp', `--reflink=${how}`, a, b]);
        for (let n = randomInt(5); n >= 0; n -= 1) await scribble(b);
        await sound(a, b, { align: 4096 });
        await sound(a, b, { align: 512, method: 'content' });
        await sound(a, b, { align: 65_536, exact: true });
        await succeed(['cp', '-f', b, a]);
      }
    });

    it('tells the content of two equal copies from the candidates', async () => {
      await using folder = await mounted(filesystem);
      const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')];
      await writeFile(a, randomBytes(blocks * block));
      await succeed(['cp', '--reflink=never', a, b]);
      const method = filesystem === 'ext4' ? 'content' : 'mixed';
      expect(await difference(a, b, {})).toEqual({ method, ranges: [], zeros: [] });
      expect(await difference(a, a, {})).toEqual({ method: 'same', ranges: [], zeros: [] });
    });
  });

needs('root', 'xfs')('the difference of a clone on XFS', () => {
  it('is what was written, without a byte being read', async () => {
    await using folder = await mounted('xfs');
    const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')];
    await writeFile(a, randomBytes(2 ** 20));
    await succeed(['cp', '--reflink=always', a, b]);
    await using file = await open(b, 'r+');
    await file.write(Buffer.alloc(512), 0, undefined, 300 * 1024);
    const found = await difference(a, b, { align: 4096 });
    expect(found).toEqual({ method: 'extents', ranges: [{ at: 300 * 1024, length: 4096 }], zeros: [] });
    expect(total(found.ranges)).toBe(4096);
  });

  it('will not compare extents where there are none to share', async () => {
    await using folder = await mounted('ext4');
    const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')];
    await writeFile(a, 'a'.repeat(512));
    await writeFile(b, 'b'.repeat(512));
    await expect(difference(a, b, { method: 'extents' })).rejects.toMatchObject({ kind: 'unsupported' });
  });
});
