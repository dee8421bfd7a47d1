import { rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { stat } from '@platter/host/looks';
import { formatInstant } from '@platter/units/instant';
import { lockedAll } from './lock.ts';
import { mustExist } from './machine.ts';
import { announce, atOneMoment, give, type Moment } from './moment.ts';
import { hidden, type Pool } from './pool.ts';
import type { SetRecord } from './records/look.ts';
import type { SnapshotRecord } from './records/snapshot.ts';
import { putSet, setRecord } from './sets.ts';
import { undo } from './settle.ts';
import type { SetFile } from './sidecar.ts';
import { candidateOf, known, type Order, pauseOf, recordsOf } from './snapshot.ts';
import { type Candidate, decideSnapshot, numberOf, worst } from './snapshotting.ts';

/** A set that was made, or null because nothing has changed; and what became of each member. */
export interface Made {
  set: SetRecord | null;
  records: SnapshotRecord[];
}

/** The states of several volumes at one moment, published together or not at all. */
export interface Making {
  set: string;
  names: readonly string[];
  order: Order;
}

/** Names the present states of all volumes as one, under all their locks. */
export function snapshotSet(pool: Pool, { set, names, order }: Making): Promise<Made> {
  return lockedAll(pool, { names: [...names].sort(), set }, async (found) => {
    await refuseSecond(pool, set);
    const candidates: Candidate[] = [];
    for (const volume of found) candidates.push(await candidateOf(pool, await mustExist(pool, volume)));
    if (!decideSnapshot(candidates, order.wish))
      return { set: null, records: candidates.map(({ volume }) => known(volume)) };
    return made(pool, candidates, { set, order });
  });
}

async function refuseSecond(pool: Pool, set: string): Promise<void> {
  if ((await pool.host.query(stat(hidden(pool, `sets/${set}.json`)))) === null) return;
  throw new Failure('refused', `there is a set ${set} already`, {
    hint: `--set with another name, as in ${set}-@, or reflink-pool remove --set ${set} --confirm=${set}`,
  });
}

/** What is announced is undone when anything fails, here or by the next verb. */
async function made(
  pool: Pool,
  candidates: readonly Candidate[],
  { set, order }: Omit<Making, 'names'>,
): Promise<Made> {
  const members = candidates.map(({ volume }) => ({ volume: volume.name, number: numberOf(volume) }));
  try {
    await putSet(pool, `${set}.intent`, { members, why: 'what is to be named; seen by nobody until it is whole' });
    const live = candidates.filter(({ cost }) => cost !== null).map(({ volume }) => volume.name);
    const pause = pauseOf(live, { ...order, hook: live.length === 0 ? null : order.hook });
    return await atOneMoment(pool, { candidates, pause }, async (moments, pauseMs) => {
      for (const moment of moments) await announce(pool, moment, order.wish);
      for (const moment of moments) await give(pool, moment);
      const file = await published(pool, set, { ...about(pool, moments, order), members, pauseMs });
      return { set: setRecord(set, file), records: recordsOf(moments, candidates, { set, pauseMs }) };
    });
  } catch (error) {
    const undone = undo(pool, { name: set, kind: 'intent', members });
    await undone.catch(({ message }: Error) => pool.call.warn(`the next verb undoes the set ${set}: ${message}`));
    throw error;
  }
}

const about = (pool: Pool, moments: readonly Moment[], { wish }: Order) => ({
  createdAt: formatInstant(pool.call.now()),
  consistency: worst(moments.map(({ consistency }) => consistency)),
  expiresAt: wish.expiresAt,
});

/** The intent becomes the set: from here on all members are seen. */
async function published(pool: Pool, set: string, file: SetFile): Promise<SetFile> {
  const path = hidden(pool, `sets/${set}`);
  await putSet(pool, `${set}.intent`, { ...file, why: 'what the set will say of itself' });
  await pool.host.change(because(rename(`${path}.intent`, `${path}.json`), 'all its members are named'));
  await pool.host.change(sync(hidden(pool, 'sets')));
  return file;
}
