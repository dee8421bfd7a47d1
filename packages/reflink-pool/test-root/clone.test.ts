import { linkSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { succeed } from '../../../e2e/ground/run.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { cloned } from '../src/records/copy.ts';
import { dataCalls } from './data-calls.ts';
import { TestPool } from './pool.ts';

const KiB = 1024;

/** Gives an image a name more, in a folder of its own, until the filesystem has no more to give. */
async function linksUntilNoMore(image: string, folder: string): Promise<void> {
  await mkdir(folder);
  for (let n = 0; ; n += 1) {
    try {
      linkSync(image, join(folder, String(n)));
    } catch (error) {
      if ((error as { code?: string }).code === 'EMLINK') return;
      throw error;
    }
  }
}

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a clone on ${filesystem}`, () => {
    const own = filesystem === 'ext4' ? 'copy' : 'reflink';
    const poolOn = (path: string) => TestPool.at(path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));

    /** A pool with the volume v, whose states are `first` (revision 1) and `second` (head). */
    async function filled(path: string): Promise<TestPool> {
      const pool = await poolOn(path);
      await pool.say('create', 'v', '--size', '64K');
      for (const text of ['first', 'second']) {
        await pool.say('start', 'v');
        await pool.write('v-dirty.img', 0, text);
        await pool.say('stop', 'v', '--no-prepare');
      }
      await pool.say('label', 'v@2', 'good');
      return pool;
    }

    const begins = async (pool: TestPool, name: string) =>
      (await readFile(pool.file(name), 'latin1')).slice(0, 8).replace(/\0+$/, '');

    it('is one more name of the image; what is then written to either is its own', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const [record] = await pool.tell('clone', 'v', 'lab/w');
      expect(cloned.parse(record)).toMatchObject({ from: 'v@head', path: pool.file('lab/w.img'), method: 'link' });
      expect((await stat(pool.file('lab/w.img'))).ino).toBe((await stat(pool.file('v.img'))).ino);
      for (const [name, text] of [
        ['v', 'origin'],
        ['lab/w', 'cloned'],
      ] as const) {
        await pool.say('start', name);
        await pool.write(`${name}-dirty.img`, 0, text);
      }
      await pool.say('stop', 'v', 'lab/w', '--no-prepare');
      expect([await begins(pool, 'v.img'), await begins(pool, 'lab/w.img')]).toEqual(['origin', 'cloned']);
      await pool.say('revert', 'lab/w');
      expect(await begins(pool, 'lab/w.img')).toBe('second');
      await pool.say('remove', 'v', '--confirm=v');
      expect(await begins(pool, 'lab/w.img')).toBe('second');
      await pool.say('revert', 'lab/w');
      expect(await begins(pool, 'lab/w.img')).toBe('cloned');
    });

    it('of a label is that state, and what is read-only is never written', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      await pool.say('start', 'v');
      const said = await pool.try('clone', 'v@good', 'w', '--read-only');
      expect([said.code, said.stderr]).toEqual([0, '']);
      expect((await pool.tell('start', 'w'))[0]).toMatchObject({ path: pool.file('w.img'), method: 'none' });
      expect(await begins(pool, 'w.img')).toBe('first');
      expect((await pool.try('clone', 'v', 'u')).stderr).toContain('v is started');
      expect((await pool.try('resize', 'w', '128K')).code).toBe(3);
    });

    it('reads and writes no data', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const { code, calls } = await strace(['reflink-pool', 'clone', 'v', 'w'], {
        env: pool.env,
        trace: dataCalls.trace,
      });
      expect([code, dataCalls.of(calls)]).toEqual([0, []]);
    });

    it('across a mount of the same filesystem, where no link can be made, has bytes of its own', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      await mkdir(join(folder.path, 'other'));
      await mkdir(pool.file('lab'));
      await succeed(['mount', '--bind', join(folder.path, 'other'), pool.file('lab')]);
      expect((await pool.tell('clone', 'v', 'lab/w'))[0]).toMatchObject({ method: own });
      expect(await begins(pool, 'lab/w.img')).toBe('second');
      expect((await stat(pool.file('lab/w.img'))).mode & 0o777).toBe(0o400);
      await pool.say('remove', 'lab/w', '--confirm=lab/w');
      expect([(await stat(pool.file('lab'))).isDirectory(), await pool.say('list', '-o', 'name')]).toEqual([
        true,
        'v\n',
      ]);
    });

    it('is refused over anything that is there, and changes nothing', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      await pool.say('create', 's', '--kind', 'snapshot', '--source', 'v');
      await pool.say('create', 'x', '--size', '64K');
      await pool.say('clone', 'v', 'w');
      const before = await tree(pool.path);
      for (const words of [
        ['v', 'x'],
        ['v', 'v'],
        ['v', 's'],
        ['s', 'new'],
        ['v@9', 'new'],
        ['nope', 'new'],
      ])
        expect([words, (await pool.try('clone', ...words)).code]).toEqual([words, 3]);
      const after = Object.entries(await tree(pool.path)).filter(([path]) => !path.startsWith('.platter/locks'));
      expect(Object.fromEntries(after)).toEqual(
        Object.fromEntries(Object.entries(before).filter(([path]) => !path.startsWith('.platter/locks'))),
      );
    });

    it('does in a shell what its dry run prints', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const before = await tree(pool.path);
      const lines = await pool.say('clone', 'v@good', 'lab/w', '--policy', 'count=3', '-n');
      expect(await tree(pool.path)).toEqual(before);
      await succeed(['sh', '-e', '-c', lines]);
      expect(await begins(pool, 'lab/w.img')).toBe('first');
      expect((await pool.tell('show', 'lab/w'))[0]).toMatchObject({ policy: 'min=none,count=3', state: 'stopped' });
    });
  });

for (const filesystem of ['btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`an image on ${filesystem} that has all the names it can have`, () => {
    it('is cloned by its bytes; a commit, a revert and an export go on too', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      const method = filesystem === 'ext4' ? 'copy' : 'reflink';
      await pool.say('create', 'v', '--size', '64K');
      await linksUntilNoMore(pool.file('v.img'), join(folder.path, 'names'));
      expect((await pool.tell('clone', 'v', 'w'))[0]).toMatchObject({ method });
      expect((await pool.tell('export', 'v'))[0]).toMatchObject({ method });
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 0, 'x');
      expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ savedAs: 1 });
      expect((await pool.tell('revert', 'v@1'))[0]).toMatchObject({ savedAs: 2 });
      expect((await stat(pool.file('w.img'))).size).toBe(64 * KiB);
    });
  });

needs(
  'root',
  'loop',
  'btrfs',
)('a pool over btrfs subvolumes', () => {
  it('clones and exports from one to the other by shared extents', async () => {
    await using folder = await mounted('btrfs');
    const pool = await TestPool.at(folder.path);
    await succeed(['btrfs', '-q', 'subvolume', 'create', pool.file('lab')]);
    await pool.say('create', 'v', '--size', '1M');
    await pool.say('start', 'v');
    await pool.write('v-dirty.img', 4 * KiB, Buffer.alloc(64 * KiB, 'x'));
    await pool.say('stop', 'v', '--no-prepare');
    const dry = await pool.say('clone', 'v', 'lab/u', '-n');
    expect(dry).not.toContain('ln -T');
    await succeed(['sh', '-e', '-c', dry]);
    expect(await pool.digest('lab/u.img')).toBe(await pool.digest('v.img'));
    expect((await pool.tell('clone', 'v', 'lab/w'))[0]).toMatchObject({ method: 'reflink' });
    expect(await pool.digest('lab/w.img')).toBe(await pool.digest('v.img'));
    expect((await stat(pool.file('lab/w.img'))).mode & 0o777).toBe(0o400);
    expect(await succeed(['filefrag', '-v', pool.file('lab/w.img')])).toContain('shared');
    const [opened] = await pool.tell('export', 'lab/w');
    expect(opened).toMatchObject({ method: 'reflink' });
    await pool.say('remove', 'lab/w', 'lab/u', '--confirm=lab/w', '--confirm=lab/u');
    expect(await succeed(['btrfs', 'subvolume', 'show', pool.file('lab')])).toContain('lab');
    expect(await succeed(['cmp', opened?.path ?? '', pool.file('v.img')])).toBe('');
    expect((await pool.tell('list', '--exports'))[0]).toMatchObject({ volume: 'lab/w', method: 'reflink' });
  });
});
