import { randomBytes } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { crew } from '../src/crew.ts';
import { hold } from '../src/hold.ts';
import { pour } from '../src/pour.ts';
import { sip } from '../src/sip.ts';

const MiB = 1024 * 1024;
const disk = 8 * MiB;

needs('root', 'loop')('a loop device with 4 KiB sectors', () => {
  it('takes pieces past the page cache, and those off its sectors through it', async () => {
    await using folder = await tempFolder();
    const [image, path] = [join(folder.path, 'image'), join(folder.path, 'from')];
    const content = randomBytes(disk);
    writeFileSync(path, content);
    writeFileSync(image, '');
    truncateSync(image, disk);
    await using loop = await attach(image, { sectorSize: 4096 });
    const [from, to] = [hold(path), hold(loop.device, { write: true, exclusive: true, direct: true })];
    expect(to).toMatchObject({ kind: 'block', size: disk, sectorSize: 4096, direct: expect.any(Number) });
    const odd = 3 * MiB + 512;
    const piece = (at: number, length: number) => ({ from: { held: from, at }, at, length, sha256: null });
    await pour(to, [piece(0, odd), piece(odd, disk - odd)]);
    const read = [];
    for await (const slab of sip(to)) {
      expect(slab.direct).toBe(true);
      read.push(Buffer.from(slab.bytes));
    }
    expect(Buffer.concat(read).equals(content)).toBe(true);
    from.close();
    to.close();
  });

  it('has nothing in the page cache after aligned writes', async () => {
    await using folder = await tempFolder();
    const image = join(folder.path, 'image');
    writeFileSync(image, '');
    truncateSync(image, disk);
    await using loop = await attach(image, { sectorSize: 4096 });
    const to = hold(loop.device, { write: true, direct: true });
    const target = { fd: to.fd, direct: to.direct, sector: to.sectorSize };
    const portions = [{ index: 0, from: null, length: 2 * MiB, sha256: null }];
    expect(await crew.run({ verb: 'pour', target, runs: [{ at: 0, portions }] }, 1)).toEqual({
      bytes: 0,
      mishap: null,
    });
    to.close();
  });
});

needs(
  'root',
  'loop',
  'ext4',
)('a filesystem that fills', () => {
  const pieces = [{ from: 'zeros' as const, at: 0, length: 64 * MiB, sha256: null }];

  it.each([true, false])('fails the pour into a file with ENOSPC (direct: %s)', async (direct) => {
    await using filesystem = await mounted('ext4', 32 * MiB);
    const path = join(filesystem.path, 'file');
    writeFileSync(path, '');
    const to = hold(path, { write: true, direct });
    const failing = pour(to, pieces);
    await expect(failing).rejects.toMatchObject({ kind: 'failed', cause: { code: 'ENOSPC' } });
    to.close();
  });

  it('fails the pour into a device whose file lies there', async () => {
    await using filesystem = await mounted('ext4', 32 * MiB);
    const image = join(filesystem.path, 'image');
    writeFileSync(image, '');
    truncateSync(image, 64 * MiB);
    await using loop = await attach(image, { directIo: true });
    const to = hold(loop.device, { write: true, direct: true });
    await expect(pour(to, pieces)).rejects.toMatchObject({
      kind: 'failed',
      message: expect.stringContaining(`could not write ${loop.device} at offset `),
    });
    to.close();
  });
});
