import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { CrashCase, Disturbance } from '../case.ts';
import {
  clean,
  copyOf,
  files,
  head,
  image,
  images,
  onVolume,
  ours,
  scribble,
  started,
  states,
  tool,
  whole,
  work,
} from '../pool.ts';

const live = ['vm/data', 'vm/log', 'vm/root'];

async function revisions(dir: string): Promise<Record<string, unknown>[]> {
  const lines = await ours(dir, 'list', '--revisions', '-o', 'json');
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Three volumes of the states A and B, with C in their working copies. */
async function three(dir: string): Promise<void> {
  await onVolume.material(dir);
  await ours(dir, 'start', 'vm/root');
  await scribble(dir, 'C');
  const root = (await readdir(join(dir, 'pool/vm'))).filter((name) => name.startsWith('root'));
  for (const name of root)
    for (const other of ['data', 'log'])
      await cp(join(dir, 'pool/vm', name), join(dir, 'pool/vm', name.replace('root', other)), {
        preserveTimestamps: true,
      });
}

/** Notes that the working copies, which are other inodes in each copy of the material, are of this boot. */
async function running(dir: string, material: string): Promise<void> {
  await copyOf(dir, material);
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  for (const name of live) {
    const { ino } = await stat(join(dir, 'pool', `${name}-dirty.img`));
    const session = { ino: String(ino), bootId, startedAt: '2026-11-20T08:11:40Z', unclean: false };
    await writeFile(join(dir, 'pool/.platter/sessions', `${name.replace('/', '%2F')}.json`), JSON.stringify(session));
  }
}

/** All members of the set are seen, or none is and there is no set. */
async function allOrNone(dir: string): Promise<number> {
  const seen = (await revisions(dir)).filter(({ set }) => set === 'night').map(({ ref }) => ref);
  const sets = await ours(dir, 'list', '--sets', '-o', 'name');
  expect([sets, seen]).toBeOneOf([
    ['', []],
    ['night\n', live.map((name) => `${name}@3`)],
  ]);
  return seen.length;
}

const stopped = (name: string, words: readonly string[], noted: Record<string, unknown>): CrashCase => ({
  ...onVolume,
  name: `reflink-pool snapshot ${name}`,
  needs: ['root', 'xfs'],
  command: () => [tool, 'snapshot', 'vm/root', ...words],
  interrupted: whole(['A', 'B'], ['B']),
  settled: async (dir) => {
    expect(await revisions(dir)).toMatchObject([{ number: 1 }, { number: 2, twin: true, side: false, ...noted }]);
    expect(await states(dir)).toEqual(['A', 'B']);
    await clean(dir);
  },
});

const hook = (dir: string) => join(dir, 'hook');

/** Who was frozen is thawed, unless the process was killed between the two. */
async function thawed(dir: string, { fault }: Disturbance): Promise<void> {
  const asked = await readFile(join(dir, 'asked'), 'utf8').catch(() => '');
  if (fault !== 'kill' && asked !== '') expect(asked).toMatch(/thaw vm\/root\n$/);
}

interface Live {
  name: string;
  needs: CrashCase['needs'];
  words?: readonly string[];
  hooked?: boolean;
  noted?: Record<string, unknown>;
}

const ofWork = ({ name, needs, words = [], hooked = false, noted = {} }: Live): CrashCase => ({
  ...onVolume,
  name: `reflink-pool snapshot ${name}`,
  needs,
  keeps: [
    ...onVolume.keeps,
    'the working copy and the head are not touched',
    ...(hooked ? ['who was frozen is thawed, unless we were killed'] : []),
  ],
  prepare: async (dir, material) => {
    await started(dir, material, 'C');
    if (hooked) await writeFile(hook(dir), `#!/bin/sh\necho "$@" >> ${dir}/asked\n`, { mode: 0o755 });
  },
  command: (dir) => [tool, 'snapshot', 'vm/root', ...words, ...(hooked ? ['--hook', hook(dir)] : [])],
  accepts: words.includes('--label') ? [0, 3] : [0],
  ...(hooked ? { bestEffort: /thawing vm\/root failed/ } : {}),
  interrupted: async (dir, at) => {
    await whole(['A', 'B'], ['B'])(dir, at);
    expect(await work(dir)).toBe('C');
    if (hooked) await thawed(dir, at);
  },
  settled: async (dir) => {
    expect([await head(dir), await work(dir)]).toEqual(['B', 'C']);
    const taken = (await revisions(dir)).filter(({ side }) => side);
    expect(taken[0]).toMatchObject({ consistency: hooked ? 'frozen' : 'crash', ...noted });
    for (const { path } of taken) expect(await readFile(String(path), 'utf8')).toBe(image('C'));
    await clean(dir);
  },
});

export const cases: readonly CrashCase[] = [
  stopped('(stopped)', [], { label: null }),
  stopped('--label (stopped)', ['--label', 'golden', '--pin', 'me'], { label: 'golden', pins: ['me'] }),
  ofWork({ name: '(live)', needs: ['root', 'xfs'] }),
  ofWork({ name: '(live, btrfs)', needs: ['root', 'btrfs'] }),
  ofWork({ name: '--label (live)', needs: ['root', 'xfs'], words: ['--label', 'golden'], noted: { label: 'golden' } }),
  ofWork({ name: '--hook (live)', needs: ['root', 'xfs'], hooked: true }),
  {
    ...onVolume,
    name: 'reflink-pool snapshot --set (three live members)',
    needs: ['root', 'xfs'],
    keeps: ['all members are seen, or none', ...onVolume.keeps],
    material: three,
    prepare: running,
    command: () => [tool, 'snapshot', 'vm/', '--set', 'night', '--allow-skew'],
    accepts: [0, 3],
    interrupted: async (dir, at) => {
      await whole(['A', 'B'], ['B'])(dir, at);
      await allOrNone(dir);
      for (const name of live) expect([await head(dir, name), await work(dir, name)]).toEqual(['B', 'C']);
    },
    settled: async (dir) => {
      expect(await allOrNone(dir)).toBe(live.length);
      const members = Object.entries(await images(dir)).filter(([path]) => path.includes('.img.3@'));
      expect(members.map(([, letter]) => letter)).toEqual(['C', 'C', 'C']);
      expect(Object.keys(await files(dir)).filter((path) => path.endsWith('.intent'))).toEqual([]);
      await clean(dir);
    },
  },
];
