import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { revision } from '../src/records/look.ts';
import { TestPool } from './pool.ts';

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`labels and pins on ${filesystem}`, () => {
    it('name and keep revisions, also when said in a shell as the dry run prints it', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 'v', '--size', '64K', '--policy', 'min=latest');
      for (const letter of ['x', 'y', 'z']) {
        await pool.say('start', 'v');
        await pool.write('v-dirty.img', 0, letter);
        await pool.say('stop', 'v');
        if (letter === 'x') await pool.say('pin', 'v@1', '--owner', 'audit');
      }
      for (const words of [
        ['label', 'v@1', 'first'],
        ['pin', 'v', '--owner', 'backup-chain'],
      ]) {
        const before = await tree(pool.path);
        const lines = await pool.say(...words, '-n');
        expect(await tree(pool.path)).toEqual(before);
        await succeed(['sh', '-e', '-c', lines]);
      }
      const revisions = await pool.tell('list', '--revisions');
      expect(revisions.map((record) => revision.parse(record))).toMatchObject([
        { ref: 'v@1', label: 'first', pins: ['audit'] },
        { ref: 'v@3', label: null, pins: [], twin: false },
        { ref: 'v@4', label: null, pins: ['backup-chain'], twin: true },
      ]);
      const pinned = run(['sh', '-c', 'reflink-pool list -o json | reflink-pool pin - -o name'], { env: pool.env });
      expect((await pinned).stdout).toBe('v@4\n');
      expect((await pool.try('remove', 'v@first', '--confirm=v@first')).stderr).toContain('v@1 by audit');
      await pool.say('pin', 'v@first', '--owner', 'audit', '--release');
      await pool.say('label', 'v@first', '--clear');
      expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ pruned: [1] });
    });
  });
