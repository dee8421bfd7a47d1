import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { fragmented, TestPool } from './pool.ts';

const trace = 'ioctl,openat,/^(copy_file_range|sendfile|splice|f?truncate|fallocate|p?write.*)';

/** Calls that share or move data between files, whoever makes them. */
const copies = (calls: readonly string[]) =>
  calls.filter((call) => /FICLONE|FIDEDUPE|^(copy_file_range|sendfile|splice)\(/.test(call));

/** Calls that open an image of the pool so that it can be written, or write it through a descriptor of another's. */
const writes = (calls: readonly string[]) =>
  calls.filter((call) =>
    call.startsWith('openat(')
      ? /\.img[^"/]*", [A-Z_|]*O_(WRONLY|RDWR|CREAT|TRUNC)/.test(call)
      : /^\w+\([^,]*\.img[^/]*>/.test(call) && !call.startsWith('ioctl('),
  );

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    filesystem,
    'strace',
  )(`the system calls of verbs on ${filesystem}`, () => {
    it('share, copy and write no image where a name is enough', async () => {
      await using folder = await mounted(filesystem);
      const allow = filesystem === 'ext4' ? ['--allow-copy'] : [];
      const pool = await TestPool.at(folder.path, '--prepare', 'never', ...allow);
      await fragmented(join(folder.path, 'many.raw'), 2000);
      await pool.say('import', 'v', join(folder.path, 'many.raw'), '--create');
      const traced = async (...words: string[]) => {
        const { code, stderr, calls } = await strace(['reflink-pool', ...words], { env: pool.env, trace });
        expect([words, code, code === 0 ? '' : stderr]).toEqual([words, 0, '']);
        return calls;
      };
      const started = async () => {
        const calls = await traced('start', 'v');
        expect(writes(calls).length).toBeGreaterThan(0);
        if (filesystem !== 'ext4') expect(copies(calls).length).toBe(1);
        await pool.write('v-dirty.img', 0, 'guest');
      };
      await started();
      const names = [
        ['stop', 'v'],
        ['revert', 'v@1'],
        ['revert', 'v'],
        ['clone', 'v', 'w'],
        ['clone', 'v@1', 'old'],
        ['export', 'v'],
        ['export', 'v@1'],
        ['label', 'v@head', 'good'],
        ['pin', 'v@1'],
        ['remove', 'old', '--confirm=old'],
      ];
      for (const words of names) {
        const calls = await traced(...words);
        expect({ words, copies: copies(calls), writes: writes(calls) }).toEqual({ words, copies: [], writes: [] });
      }
      await started();
      for (const words of [
        ['stop', 'v', '--discard', '--label', 'aside'],
        ['snapshot', 'v', '--label', 'now'],
      ]) {
        const calls = await traced(...words);
        expect({ words, copies: copies(calls), writes: writes(calls) }).toEqual({ words, copies: [], writes: [] });
      }
      expect(await readFile(pool.file('v.img'), { encoding: 'latin1' })).toMatch(/^guest/);
    });
  });
