import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { TestPool } from './pool.ts';

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a template on ${filesystem}`, () => {
    const starts = async (pool: TestPool, name: string) => (await readFile(pool.file(name), 'latin1')).slice(0, 3);
    const outdated = async (pool: TestPool) =>
      (await pool.tell('list')).filter(({ volumeKind }) => volumeKind === 'snapshot').map((one) => one.outdated);

    async function change(pool: TestPool, text: string): Promise<void> {
      await pool.say('start', 't');
      await pool.write('t-dirty.img', 0, text);
    }

    it('is seen by who starts after it was stopped, and by nobody before', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 't', '--size', '1M');
      await pool.say('create', 'w', '--kind', 'snapshot', '--source', 't');
      await pool.say('create', 'r', '--kind', 'snapshot', '--source', 't', '--read-only');
      await change(pool, 'one');
      await pool.say('stop', 't');
      await change(pool, 'two');
      const [w, r] = await pool.tell('start', 'w', 'r');
      expect([w, r]).toMatchObject([
        { outcome: 'started' },
        { outcome: 'started', method: 'link', path: pool.file('r.img') },
      ]);
      const seen = () => Promise.all(['w-dirty.img', 'w.img', 'r.img'].map((name) => starts(pool, name)));
      expect([await seen(), await outdated(pool)]).toEqual([
        ['one', 'one', 'one'],
        [false, false],
      ]);
      await pool.say('stop', 't');
      expect([await seen(), await outdated(pool)]).toEqual([
        ['one', 'one', 'one'],
        [true, true],
      ]);
      await pool.write('w-dirty.img', 0, 'own');
      {
        await using _reader = await attach(pool.file('r.img'));
        expect((await pool.tell('start', 'r'))[0]).toMatchObject({ outcome: 'already' });
        expect((await pool.try('stop', 'r')).code).toBe(4);
      }
      await pool.say('stop', 'w');
      expect(await pool.tell('start', 'w', 'r')).toMatchObject([{ outcome: 'started' }, { outcome: 'started' }]);
      expect([await seen(), await outdated(pool)]).toEqual([
        ['two', 'two', 'two'],
        [false, false],
      ]);
    });

    it('makes them outdated by a commit, a revert and an import, not by a stop with nothing written', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 't', '--size', '1M');
      await pool.say('create', 'r', '--kind', 'snapshot', '--source', 't', '--read-only');
      const after = async (...lines: string[]) => {
        await pool.say('start', 'r');
        for (const line of lines) await pool.say(...line.split(' '));
        return (await outdated(pool))[0];
      };
      expect(await after('start t', 'stop t')).toBe(false);
      await pool.say('start', 'r');
      await change(pool, 'one');
      await pool.say('stop', 't');
      expect(await outdated(pool)).toEqual([true]);
      expect(await after('revert t')).toBe(true);
      expect(await after('revert t@head')).toBe(false);
      expect(await after('stop t')).toBe(false);
      expect(await after('stop r')).toBe(null);
    });

    it('stays while it has followers', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 't', '--size', '1M');
      await pool.say('create', 'w', '--kind', 'snapshot', '--source', 't');
      const refused = await pool.try('remove', 't', '--confirm=t');
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('by   w')]);
      await pool.say('start', 'w');
      await pool.say('remove', 'w', '--confirm=w');
      expect(await pool.files()).toEqual(['t.img']);
      await pool.say('remove', 't', '--confirm=t');
      expect(await pool.files()).toEqual([]);
    });
  });
