import { expect } from 'vitest';
import type { CrashCase } from '../case.ts';
import { clean, copyOf, head, onVolume, ours, promise, states, tool, whole } from '../pool.ts';

/** What is noted about a revision, as `show` says it. */
async function shown(dir: string, ref: string): Promise<Record<string, unknown>> {
  return JSON.parse(await ours(dir, 'show', ref, '-o', 'json'));
}

interface Noting {
  name: string;
  words: readonly string[];
  before?: readonly string[];
  /** The revision, what is said of it before, and what afterwards. */
  ref: string;
  from: Record<string, unknown>;
  to: Record<string, unknown>;
}

const noting = ({ name, words, before, ref, from, to }: Noting): CrashCase => ({
  ...onVolume,
  name: `reflink-pool ${name}`,
  needs: ['root', 'xfs'],
  keeps: ['it is noted whole or not at all', promise.head, promise.states, promise.temporaries],
  prepare: async (dir, material) => {
    await copyOf(dir, material);
    if (before !== undefined) await ours(dir, ...before);
  },
  command: () => [tool, ...words],
  interrupted: async (dir, at) => {
    await whole(['A', 'B'], ['B'])(dir, at);
    const known = await shown(dir, ref);
    expect(known).toEqual(expect.toBeOneOf([from, to].map((one) => expect.objectContaining(one))));
  },
  settled: async (dir) => {
    expect(await shown(dir, ref)).toMatchObject(to);
    expect([await head(dir), await states(dir)]).toEqual(['B', ['A', 'B']]);
    await clean(dir);
  },
});

export const cases: readonly CrashCase[] = [
  noting({
    name: 'label',
    words: ['label', 'vm/root@1', 'golden'],
    ref: 'vm/root@1',
    from: { label: null },
    to: { label: 'golden' },
  }),
  noting({
    name: 'pin',
    words: ['pin', 'vm/root@1', '--owner', 'backup-chain'],
    ref: 'vm/root@1',
    from: { pins: [] },
    to: { pins: ['backup-chain'] },
  }),
  noting({
    name: 'pin --release',
    words: ['pin', 'vm/root@1', '--owner', 'backup-chain', '--release'],
    before: ['pin', 'vm/root@1', '--owner', 'backup-chain'],
    ref: 'vm/root@1',
    from: { pins: ['backup-chain'] },
    to: { pins: [] },
  }),
  {
    ...onVolume,
    name: 'reflink-pool label (the head)',
    needs: ['root', 'xfs'],
    command: () => [tool, 'label', 'vm/root@head', 'golden'],
    interrupted: whole(['A', 'B'], ['B']),
    settled: async (dir) => {
      expect(await shown(dir, 'vm/root@golden')).toMatchObject({ number: 2, twin: true, label: 'golden' });
      await clean(dir);
    },
  },
];
