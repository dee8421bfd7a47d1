import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../ground/filesystem.ts';
import { sweep, tempFolder } from '../ground/folder.ts';
import { attach, backing, loops, loopsIn } from '../ground/loops.ts';
import { mountsIn } from '../ground/mounts.ts';
import { needs } from '../ground/needs.ts';
import { run, succeed } from '../ground/run.ts';

/** A program that makes a filesystem with a file on a loop of no owner, and is killed. */
const killed = (filesystem: string) => `
  import { writeFileSync } from 'node:fs';
  import { mounted } from '${join(import.meta.dirname, '../ground/filesystem.ts')}';
  import { succeed } from '${join(import.meta.dirname, '../ground/run.ts')}';
  const { path } = await mounted('${filesystem}');
  writeFileSync(path + '/file', 'x'.repeat(4096));
  await succeed(['losetup', '--find', path + '/file']);
  console.log(path);
  process.kill(process.pid, 'SIGKILL');`;

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const) {
  needs('root', filesystem)(`a fixture of ${filesystem}`, () => {
    it('is mounted, and gone after its use with the loops over files in it', async () => {
      const { path, [Symbol.asyncDispose]: dispose } = await mounted(filesystem);
      expect((await succeed(['stat', '-f', '-c', '%T', path])).trim()).toContain(filesystem.slice(0, 3));
      await writeFile(join(path, 'file'), 'x'.repeat(4096));
      await succeed(['losetup', '--find', join(path, 'file')]);
      const found = await loopsIn(path);
      expect(found).toHaveLength(1);
      await dispose();
      expect(await mountsIn(join(path, '..'))).toEqual([]);
      expect((await loops()).map(({ backing }) => backing)).not.toContain(found[0]?.backing);
    });

    it.for([[], ['unshare', '--mount', '--propagation', 'private']])('is swept after a kill (%j)', async (alone) => {
      await using parent = await tempFolder();
      await using _swept = { [Symbol.asyncDispose]: () => sweep(parent.path) };
      const words = [...alone, 'node', '--input-type=module', '-e', killed(filesystem)];
      const { stdout } = await run(words, { env: { TMPDIR: parent.path } });
      const folder = join(stdout.trim(), '..');
      const image = await backing(join(folder, 'image'));
      const inside = await readFile(join(folder, 'dev'), 'utf8');
      const ours = async () => (await loops()).filter((loop) => loop.backing === image || loop.filesystem === inside);
      expect(await ours()).toHaveLength(2);
      await sweep(parent.path);
      expect(await mountsIn(parent.path)).toEqual([]);
      expect(await ours()).toEqual([]);
    });
  });
}

needs('root', 'loop')('a loop device', () => {
  it('has the sector size asked for, and is gone after its use', async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    await truncate(file, 2 ** 20);
    const { device, [Symbol.asyncDispose]: dispose } = await attach(file, { sectorSize: 4096 });
    expect(await succeed(['blockdev', '--getss', '--getsize64', device])).toBe('4096\n1048576\n');
    expect(await loopsIn(folder.path)).toMatchObject([{ device }]);
    await dispose();
    expect(await loopsIn(folder.path)).toEqual([]);
  });
});
