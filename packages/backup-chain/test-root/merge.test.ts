import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { chainOf } from '../src/chain.ts';
import { openChain } from '../src/opening.ts';
import { openRepository, readVm } from '../src/repository.ts';
import { spans, stackOf } from '../src/stack.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { History, statesOf, steps } from './history.ts';

const merge = (history: History, run: string, ...more: string[]) =>
  tool(['merge', `default/db/data@${run}`, '--repo', history.root, ...more]);

async function merged(history: History, from: string, to: string): Promise<void> {
  await done(['merge', `default/db/data@${from}..${to}`, '--repo', history.root]);
}

const simple = (): Promise<History> => {
  const disk = new Disk(24 * cluster).write(0, 1, 2, 3, 20);
  const states = [disk.bytes.slice()];
  states.push(disk.write(1, 4).zero(2).bytes.slice());
  states.push(disk.write(2, 5).zero(3).bytes.slice());
  states.push(disk.write(6).zero(1).bytes.slice());
  return new History().make(states);
};

/** Every point that is there shows what the disk held then, and every file is sound to the last byte. */
async function holds(history: History): Promise<void> {
  await done(['validate', '--repo', history.root, '--level', 'deep']);
  for (const id of history.ids)
    expect((await history.restored(id)).equals(history.states.get(id) ?? Buffer.of())).toBe(true);
}

/** What the files from one point up to another say themselves: their zeros and their data, as guest ranges. */
async function said(history: History, from: string, to: string): Promise<unknown[]> {
  const host = local();
  const facts = await readVm(host, await openRepository(host, history.root), { namespace: 'default', vm: 'db' });
  const [disk] = facts.disks as [(typeof facts.disks)[number]];
  const { links: points } = chainOf({ facts, disk }, to);
  const { links } = await openChain(host, disk, points);
  const upper = stackOf(links.slice(points.findIndex(({ id }) => id === from)));
  const found: string[] = [];
  for await (const { at, length, kind } of spans(upper, { at: 0, length: upper.virtualSize }, cluster))
    for (let n = 0; kind !== 'absent' && n < length; n += cluster) found.push(`${kind} ${at + n}`);
  for (const { held } of links) held.close();
  return found;
}

const share = fc.nat(999).map((n) => n / 1000);
const pick = (ids: readonly string[], at: number): string => ids[Math.floor(at * ids.length)] as string;

describe('merge', () => {
  it('takes up increments, then folds the full; every point that stays shows the same', async () => {
    using history = await simple();
    const [full, one, two, last] = history.ids as [string, string, string, string];
    const { records, failure } = await merge(history, `${one}..${two}`);
    expect(failure).toBeNull();
    expect(records).toMatchObject([{ kind: 'Merge', from: [one], into: two, became: 'incremental', method: 'write' }]);
    expect(history.ids).toEqual([full, two, last]);
    await holds(history);
    expect((await merge(history, `${one}..${two}`)).records).toMatchObject([{ from: [], method: null }]);
    expect((await merge(history, `${full}..latest`)).records).toMatchObject([{ from: [full, two], became: 'full' }]);
    expect(history.ids).toEqual([last]);
    await holds(history);
  });
});

describe('laws', () => {
  it('any sequence of merges keeps what every point that stays shows', async () => {
    const plans = fc.array(fc.tuple(share, share), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(steps, plans, async (all, picks) => {
        using history = await new History().make(statesOf(all));
        for (const [a, b] of picks) {
          const [from, to] = [pick(history.ids, Math.min(a, b)), pick(history.ids, Math.max(a, b))];
          if (from === to) continue;
          await merged(history, from, to);
          await holds(history);
          expect(readdirSync(join(history.disk, 'data'))).toHaveLength(2 * history.ids.length);
        }
      }),
      effort(12),
    );
  }, 600_000);

  it('an increment that took up others says what they said: the same data, the same zeros', async () => {
    const still = steps.map((all) => all.map((step) => ({ ...step, size: null })));
    await fc.assert(
      fc.asyncProperty(still, share, share, async (all, a, b) => {
        using history = await new History().make(statesOf(all));
        const ids = history.ids.slice(1);
        const [from, to] = [pick(ids, Math.min(a, b)), pick(ids, Math.max(a, b))];
        fc.pre(ids.length > 1 && from !== to);
        const before = await said(history, from, to);
        await merged(history, from, to);
        expect(await said(history, to, to)).toEqual(before);
      }),
      effort(10),
    );
  }, 600_000);

  it('merging in two steps is merging in one', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(1), async (all, first) => {
        using history = await new History().make(statesOf(all));
        const ids = history.ids.slice(first);
        fc.pre(ids.length > 2);
        using other = history.copy();
        const [from, between, to] = [ids[0], ids[1], ids.at(-1)] as [string, string, string];
        await merged(history, from, to);
        await merged(other, from, between);
        await merged(other, between, to);
        for (const one of [history, other]) await holds(one);
        expect(await said(other, to, to)).toEqual(await said(history, to, to));
        expect(other.ids).toEqual(history.ids);
      }),
      effort(8),
    );
  }, 600_000);
});
