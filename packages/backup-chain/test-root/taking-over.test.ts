import { join } from 'node:path';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainOf } from '../src/chain.ts';
import { drafting, growing } from '../src/drafting.ts';
import { openChain } from '../src/opening.ts';
import { readBack } from '../src/read-back.ts';
import { openRepository, readVm } from '../src/repository.ts';
import { type Link, stackOf } from '../src/stack.ts';
import { takeOver } from '../src/taking-over.ts';
import { Bench, makeGrown } from './repository.ts';

const bench = new Bench();
const root = join(bench.folder, 'grown');
const host = local();
beforeAll(() => makeGrown(root));
afterAll(() => bench.dispose());

const runs = [0, 1, 2, 3, 4].flatMap((from) => [0, 1, 2, 3, 4].filter((to) => to >= from).map((to) => ({ from, to })));

describe('clusters taken over', () => {
  it.each(runs)('of points $from to $to: every newer point composes to the same', async ({ from, to }) => {
    const facts = await readVm(host, await openRepository(host, root), { namespace: 'default', vm: 'db' });
    const [disk] = facts.disks as [(typeof facts.disks)[number]];
    const points = disk.points.map(({ value }) => value).sort((a, b) => (a?.sequence ?? 0) - (b?.sequence ?? 0));
    const { links: chain } = chainOf({ facts, disk }, points.at(-1)?.id ?? '');
    const { links, findings } = await openChain(host, disk, chain);
    expect(findings).toEqual([]);
    const type = from === 0 ? ('full' as const) : ('incremental' as const);
    const whole = stackOf(links.slice(0, to + 1));
    const upper = stackOf(links.slice(from, to + 1));
    const plan = { ...growing(disk.paths, 'merged'), virtualSize: whole.virtualSize, type, workers: 2 };
    await drafting(host, plan, async (draft, undo) => {
      await takeOver({ draft, upper, whole });
      await draft.finish();
      const below: readonly Link[] = links.slice(0, from);
      expect(await readBack(host, plan, stackOf(below))).toBe(chain[to]?.contentSha256);
      undo.add('end', async () => draft.close());
      throw new Error('enough');
    }).catch((error: Error) => expect(error.message).toBe('enough'));
    for (const { held } of links) held.close();
  });
});
