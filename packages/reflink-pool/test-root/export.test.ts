import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { succeed } from '../../../e2e/ground/run.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { exported } from '../src/records/copy.ts';
import { dataCalls } from './data-calls.ts';
import { TestPool } from './pool.ts';

const KiB = 1024;

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`an export on ${filesystem}`, () => {
    const own = filesystem === 'ext4' ? 'copy' : 'reflink';

    /** A pool with the volume v that keeps only its former state, whose head begins with `zero`. */
    async function filled(path: string): Promise<TestPool> {
      const pool = await TestPool.at(path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 'v', '--size', '1M', '--policy', 'min=latest');
      await commit(pool, 'zero');
      return pool;
    }

    async function commit(pool: TestPool, text: string): Promise<void> {
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 0, text);
      await pool.say('stop', 'v', '--no-prepare');
    }

    const begins = async (path: string) => (await readFile(path, 'latin1')).slice(0, 8).replace(/\0+$/, '');
    const revisions = (pool: TestPool) => pool.say('list', '--revisions', '-o', 'name');

    it('of a head stays what it is through commits, prunes and the removal of its volume, until it is ended', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const path = (await pool.say('export', 'v', '-o', 'name')).trim();
      expect(path).toMatch(/\/pool\/\.platter\/exports\/[0-9a-f]{12}\.img$/);
      expect((await stat(path)).ino).toBe((await stat(pool.file('v.img'))).ino);
      for (const text of ['one', 'two', 'three']) await commit(pool, text);
      expect(await revisions(pool)).toBe('v@2\nv@4\n');
      const [listed] = (await pool.tell('list', '--exports')).map((record) => exported.parse(record));
      expect(listed).toMatchObject({ volume: 'v', number: 2, path, method: 'link', outcome: 'open' });
      await pool.say('remove', 'v', '--confirm=v');
      expect([await begins(path), await pool.files()]).toEqual(['zero', []]);
      const id = String(listed?.id);
      expect((await pool.tell('export', '--end', id))[0]).toMatchObject({ volume: 'v', outcome: 'ended' });
      expect((await pool.tell('export', '--end', id))[0]).toMatchObject({ volume: null, outcome: 'ended' });
      expect(await readdir(pool.file('.platter/exports'))).toEqual([]);
    });

    it('keeps its revision from retention, and lets it go when it is ended', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const [open] = await pool.tell('export', 'v@1', '--expires', 'never');
      expect(exported.parse(open)).toMatchObject({ number: 1, expiresAt: null });
      for (const text of ['one', 'two']) await commit(pool, text);
      expect(await revisions(pool)).toBe('v@1\nv@3\n');
      await pool.say('export', '--end', String(open?.id));
      await commit(pool, 'three');
      expect(await revisions(pool)).toBe('v@4\n');
    });

    it('to a file has bytes of its own that anybody may write, with the holes of the image', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const dest = join(folder.path, 'out.raw');
      const [written] = await pool.tell('export', 'v', dest);
      expect(exported.parse(written)).toMatchObject({ id: null, path: dest, method: own, outcome: 'written' });
      const { mode, blocks } = await stat(dest);
      expect([mode & 0o777, blocks * 512 < 128 * KiB]).toEqual([0o600, true]);
      await writeFile(dest, 'theirs', { flag: 'r+' });
      expect([await begins(dest), await begins(pool.file('v.img'))]).toEqual(['theirs', 'zero']);
      expect((await pool.try('export', 'v', dest)).code).toBe(3);
      expect((await pool.try('export', 'v', pool.file('w.img'))).code).toBe(3);
      expect((await pool.try('export', 'v', join(folder.path, 'none/out.raw'))).code).toBe(3);
      expect(await readdir(folder.path)).toEqual(expect.not.arrayContaining([expect.stringContaining('~')]));
    });

    it('to another filesystem is a copy that must be allowed', async () => {
      await using folder = await mounted(filesystem);
      await using other = await tempFolder();
      const pool = await filled(folder.path);
      const dest = join(other.path, 'out.raw');
      const refused = await pool.try('export', 'v', dest);
      expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining('--allow-copy')]);
      expect(await readdir(other.path)).toEqual([]);
      expect((await pool.tell('export', 'v', dest, '--allow-copy'))[0]).toMatchObject({ method: 'copy' });
      expect(await succeed(['cmp', dest, pool.file('v.img')])).toBe('');
      expect((await stat(dest)).blocks * 512).toBeLessThan(128 * KiB);
    });

    it('reads and writes no data', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const { code, calls } = await strace(['reflink-pool', 'export', 'v'], { env: pool.env, trace: dataCalls.trace });
      expect([code, dataCalls.of(calls)]).toEqual([0, []]);
      const copied = await strace(['reflink-pool', 'export', 'v', join(folder.path, 'out.img')], {
        env: pool.env,
        trace: dataCalls.trace,
      });
      expect([copied.code, dataCalls.of(copied.calls)]).not.toEqual([0, []]);
    });

    it('does in a shell what its dry run prints', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const dest = join(folder.path, 'out.raw');
      for (const words of [['v'], ['v@1', dest]]) {
        const before = await tree(folder.path);
        const lines = await pool.say('export', ...words, '-n');
        expect(await tree(folder.path)).toEqual(before);
        await succeed(['sh', '-e', '-c', lines]);
      }
      const [open] = await pool.tell('list', '--exports');
      expect([await begins(open?.path ?? ''), (await stat(dest)).size]).toEqual(['zero', 1024 * KiB]);
      await succeed(['sh', '-e', '-c', await pool.say('export', '--end', String(open?.id), '-n')]);
      expect(await readdir(pool.file('.platter/exports'))).toEqual([]);
    });
  });
