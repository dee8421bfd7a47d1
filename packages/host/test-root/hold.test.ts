import { truncateSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { succeed } from '../../../e2e/ground/run.ts';
import { hold } from '../src/hold.ts';

const kindOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return (error as { kind?: string }).kind;
  }
  return 'none';
};

needs(
  'root',
  'loop',
  'ext4',
)('a block device', () => {
  it('is busy while mounted, and cannot be mounted while claimed', async () => {
    await using folder = await tempFolder();
    const [image, at] = [join(folder.path, 'image'), join(folder.path, 'mnt')];
    writeFileSync(image, '');
    truncateSync(image, 16 * 1024 * 1024);
    await succeed(['mkfs.ext4', '-q', image]);
    await mkdir(at);
    await using loop = await attach(image);
    await succeed(['mount', loop.device, at]);
    expect(kindOf(() => hold(loop.device, { exclusive: true }))).toBe('busy');
    await succeed(['umount', at]);
    const held = hold(loop.device, { exclusive: true, write: true });
    await expect(succeed(['mount', loop.device, at])).rejects.toThrow();
    held.close();
  });

  it('is as large as the kernel says, with the sectors it has', async () => {
    await using folder = await tempFolder();
    const image = join(folder.path, 'image');
    writeFileSync(image, '');
    truncateSync(image, 5 * 1024 * 1024);
    await using loop = await attach(image, { sectorSize: 4096 });
    const held = hold(loop.device);
    expect(held).toMatchObject({ kind: 'block', size: 5 * 1024 * 1024, sectorSize: 4096 });
    expect(held.device).toMatch(/^7:\d+$/);
    held.close();
  });
});
