import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';

const leases = (dir: string) => join(dir, 'leases');
const acted = (dir: string) => join(dir, 'acted');
const words = (dir: string, verb: string, ...more: string[]) => [
  'lifetime-reaper',
  verb,
  'vm',
  '--leases',
  leases(dir),
  ...more,
];
/** The command adds a line each time it runs. */
const arm = (dir: string, ...more: string[]) =>
  words(dir, 'arm', '--max-run', '8h', '--timer', 'none', ...more, '--', '/bin/sh', '-c', `echo x >> ${acted(dir)}`);

const read = async (dir: string) =>
  JSON.parse(await readFile(join(leases(dir), 'vm.json'), 'utf8').catch(() => 'null'));
const names = async (dir: string) => (await readdir(leases(dir)).catch(() => [])).sort();
const runs = async (dir: string) => (await readFile(acted(dir), 'utf8').catch(() => '')).length / 2;

const tidy = async (dir: string) => expect(await names(dir)).toEqual(['.vm.lock', 'vm.json']);
const armed = (dir: string) => succeed(arm(dir)).then(() => {});
const due = async (dir: string) => {
  await armed(dir);
  const lease = { ...(await read(dir)), expiresAt: '2026-11-19T00:00:00Z' };
  await writeFile(join(leases(dir), 'vm.json'), JSON.stringify(lease));
};
const state = async (dir: string) => (await read(dir))?.state ?? 'absent';

export const cases: readonly CrashCase[] = [
  {
    name: 'lifetime-reaper arm',
    needs: [],
    keeps: ['the lease is absent or whole', 'no temporary is left after the rerun', 'nothing was run'],
    prepare: async () => {},
    command: (dir) => arm(dir),
    interrupted: async (dir) => expect(await state(dir)).toBeOneOf(['absent', 'armed']),
    settled: async (dir) => {
      expect([await state(dir), await runs(dir)]).toEqual(['armed', 0]);
      await tidy(dir);
    },
  },
  {
    name: 'lifetime-reaper extend',
    needs: [],
    keeps: ['the deadline is the old one or the new one', 'the rerun adds to whichever it is', 'no temporary is left'],
    prepare: armed,
    command: (dir) => words(dir, 'extend', '1h'),
    interrupted: async (dir) => expect((await read(dir)).generation).toBeOneOf([1, 2]),
    settled: async (dir) => {
      const { armedAt, expiresAt, generation } = await read(dir);
      expect(Date.parse(expiresAt) - Date.parse(armedAt)).toBe((8 + generation - 1) * 3_600_000);
      await tidy(dir);
    },
  },
  {
    name: 'lifetime-reaper disarm',
    needs: [],
    keeps: ['the lease is armed or disarmed', 'no temporary is left after the rerun'],
    prepare: armed,
    command: (dir) => words(dir, 'disarm'),
    interrupted: async (dir) => expect(await state(dir)).toBeOneOf(['armed', 'disarmed']),
    settled: async (dir) => {
      expect(await state(dir)).toBe('disarmed');
      await tidy(dir);
    },
  },
  {
    name: 'lifetime-reaper disarm (--remove)',
    needs: [],
    keeps: ['the lease is armed, disarmed or gone', 'nothing is left after the rerun'],
    prepare: armed,
    command: (dir) => words(dir, 'disarm', '--remove'),
    interrupted: async (dir) => expect(await state(dir)).toBeOneOf(['armed', 'disarmed', 'absent']),
    settled: async (dir) => expect(await names(dir)).toEqual([]),
  },
  {
    name: 'lifetime-reaper reap',
    needs: [],
    keeps: [
      'the command ran at least once for the deadline',
      'a lifetime is done only when its command ran',
      'no temporary is left',
    ],
    prepare: due,
    command: (dir) => words(dir, 'reap'),
    interrupted: async (dir) => {
      if ((await state(dir)) === 'done') expect(await runs(dir)).toBe(1);
      else expect(await state(dir)).toBeOneOf(['armed', 'reaping', 'failed']);
    },
    settled: async (dir) => {
      const ran = await runs(dir);
      if ((await state(dir)) === 'failed') expect((await read(dir)).lastError).not.toBeNull();
      else expect([await state(dir), ran >= 1 && ran <= 2]).toEqual(['done', true]);
      await tidy(dir);
    },
  },
];
