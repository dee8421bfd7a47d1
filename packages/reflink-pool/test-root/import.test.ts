import { createHash } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { TestPool } from './pool.ts';

const KiB = 1024;
const sha256 = (bytes: string) => createHash('sha256').update(bytes).digest('hex');
const still = async (pool: TestPool) =>
  Object.fromEntries(Object.entries(await tree(pool.path)).filter(([path]) => !path.startsWith('.platter/locks')));

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`an import on ${filesystem}`, () => {
    const sharing = filesystem !== 'ext4';
    async function pool(folder: string): Promise<TestPool> {
      const made = await TestPool.at(folder, ...(sharing ? [] : ['--allow-copy']));
      await made.say('create', 'v', '--size', '64K');
      return made;
    }

    it('of what was not announced is refused; nothing is left of it, and the head is as it was', async () => {
      await using folder = await mounted(filesystem);
      const into = await pool(folder.path);
      const raw = join(folder.path, 'raw');
      await writeFile(raw, 'x'.repeat(32 * KiB));
      await writeFile(join(folder.path, 'odd'), 'x'.repeat(1000));
      await writeFile(join(folder.path, 'none'), '');
      const before = await still(into);
      for (const [line, code, words] of [
        ['import v RAW --size 64K', 5, /too short\n.*expected +64 KiB.*\n.*got +32 KiB/],
        ['import v RAW --size 16K', 5, /too long/],
        [`import v RAW --sha256 ${'0'.repeat(64)}`, 5, /digest.*\n +expected +0000/],
        [`import v RAW --copy --sha256 ${'0'.repeat(64)}`, 5, /digest/],
        ['import v ODD', 3, /1000 bytes are no whole number of sectors/],
        ['import v NONE', 3, /no whole number/],
        ['import v GONE', 3, /does not exist/],
        ['import w RAW', 3, /no volume w/],
      ] as const) {
        const path = (name: string) => join(folder.path, name);
        const said = line.replace('RAW', raw).replace('ODD', path('odd')).replace('NONE', path('none'));
        const { code: got, stderr } = await into.try(...said.replace('GONE', path('gone')).split(' '));
        expect([line, got, stderr]).toEqual([line, code, expect.stringMatching(words)]);
        expect(await still(into)).toEqual(before);
      }
    });

    it('of a stream that is cut short leaves nothing', async () => {
      await using folder = await mounted(filesystem);
      const into = await pool(folder.path);
      const before = await still(into);
      const words = ['reflink-pool', 'import', 'v', '-', '--size', '64K', '--sha256', sha256('x'.repeat(64 * KiB))];
      const short = await run(words, { env: into.env, stdin: 'x'.repeat(32 * KiB) });
      expect([short.code, await still(into)]).toEqual([5, before]);
      const wrong = await run(words, { env: into.env, stdin: 'y'.repeat(64 * KiB) });
      expect([wrong.code, await still(into)]).toEqual([5, before]);
      const right = await run([...words, '-o', 'json'], { env: into.env, stdin: 'x'.repeat(64 * KiB) });
      expect(JSON.parse(right.stdout)).toMatchObject({ outcome: 'imported', method: 'stream', savedAs: 1 });
      const again = await run([...words, '-o', 'json'], { env: into.env, stdin: 'x'.repeat(64 * KiB) });
      expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'unchanged', savedAs: null });
    });

    it('that another program writes is checked like any other when it ends', async () => {
      await using folder = await mounted(filesystem);
      const into = await pool(folder.path);
      const [session] = await into.tell('import', 'v', '--begin', '--size', '64K');
      const token = String(session?.token);
      const end = (...words: string[]) => into.try('import', 'v', '--commit', token, ...words);
      await into.write('v-import.img', 0, Buffer.from('QFI\xfb', 'latin1'));
      expect(await end()).toMatchObject({ code: 3, stderr: expect.stringContaining('qcow2') });
      await into.write('v-import.img', 0, 'x'.repeat(64 * KiB));
      expect(await end('--sha256', '0'.repeat(64))).toMatchObject({ code: 5 });
      expect((await end('--size', '64K')).code).toBe(2);
      await using file = await open(into.file('v-import.img'), 'r+');
      await file.truncate(32 * KiB);
      await file.close();
      expect(await end()).toMatchObject({ code: 5, stderr: expect.stringContaining('too short') });
      await into.write('v-import.img', 0, 'x'.repeat(64 * KiB));
      const [done] = await into.tell('import', 'v', '--commit', token, '--sha256', sha256('x'.repeat(64 * KiB)));
      expect(done).toMatchObject({ outcome: 'imported', method: 'session', sha256: sha256('x'.repeat(64 * KiB)) });
      expect((await into.tell('show', 'v@head'))[0]).toMatchObject({ sha256: sha256('x'.repeat(64 * KiB)) });
      expect(await readFile(into.file('v.img'), 'latin1')).toBe('x'.repeat(64 * KiB));
      expect((await end()).code).toBe(3);
    });

    it('of a file in use is as after a power cut, and said so; of one with a promise of space a copy', async () => {
      await using folder = await mounted(filesystem);
      const into = await pool(folder.path);
      const raw = join(folder.path, 'raw');
      await writeFile(raw, 'x'.repeat(64 * KiB));
      await using _writer = await open(raw, 'r+');
      const refused = await into.try('import', 'v', raw);
      expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('--live')]);
      const live = await into.try('import', 'v', raw, '--live');
      expect(live.code).toBe(sharing ? 0 : 6);
      if (!sharing) return;
      expect((await into.tell('show', 'v@head'))[0]).toMatchObject({ consistency: 'crash' });
      const promised = join(folder.path, 'promised');
      await writeFile(promised, 'y'.repeat(64 * KiB));
      await writeFile(`${promised}.lvm-loop.json`, '{}');
      expect((await into.tell('import', 'v', promised))[0]).toMatchObject({ method: 'copy' });
      expect((await into.tell('import', 'w', promised, '--create', '--share'))[0]).toMatchObject({ method: 'reflink' });
      expect((await into.tell('show', 'v@head'))[0]).toMatchObject({ consistency: null });
    });
  });
