import { remove, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { about } from './about.ts';
import { putAside, type Result, seal } from './aside.ts';
import { withImage } from './facts.ts';
import { locked } from './lock.ts';
import { around, type Machine, mustExist } from './machine.ts';
import { withTwin } from './naming.ts';
import { historyOff } from './policy.ts';
import type { Pool } from './pool.ts';
import { policyOf, prune } from './prune.ts';
import type { CommitRecord } from './records/cycle.ts';
import { put, replaceHead, saveHead } from './steps.ts';
import { decideStop, isUnclean, type Stop, type StopWish } from './stopping.ts';
import { stopwatch } from './stopwatch.ts';
import { type Image, imageFacts, pathOf, type Volume } from './volume.ts';

/** How a stop ended: its record, and the volume as it is now (which a dry run cannot look at). */
export interface Ended {
  record: CommitRecord;
  after: Volume;
}

interface Scene {
  volume: Volume;
  machine: Machine;
}

/** Stops one volume under its lock; `told` runs before the lock goes. */
export function stop(
  pool: Pool,
  name: string,
  { told, ...wish }: StopWish & { told: (ended: Ended) => Promise<void> },
) {
  return locked(pool, name, async (found) => {
    const volume = await mustExist(pool, found);
    await told(await stopped(pool, { volume, machine: await around(pool, volume, true) }, wish));
  });
}

/** Stops a volume that is locked. */
export async function stopped(pool: Pool, scene: Scene, wish: StopWish): Promise<Ended> {
  const decision = decideStop(scene.volume, scene.machine, wish);
  const ms = stopwatch();
  const { told, after } = await perform(pool, scene, { decision, label: wish.label });
  const spent = ms();
  const pruned = await pruneAfter(pool, scene, after);
  const head = after.head?.path ?? null;
  const unclean = isUnclean(scene.volume, scene.machine);
  const facts = { savedAs: null, prepared: after.prepared !== null, ...told };
  return { record: { ...about('Commit', after.name), ...facts, head, pruned, unclean, ms: spent }, after };
}

async function perform(
  pool: Pool,
  { volume, machine }: Scene,
  { decision, label }: { decision: Stop; label?: string | undefined },
): Promise<Result> {
  switch (decision) {
    case 'already':
      return { told: { outcome: 'already' }, after: volume };
    case 'unname':
      return drop(pool, volume, 'removed');
    case 'throw away':
      return throwAway(pool, volume);
    case 'discard':
      return drop(pool, volume, 'discarded');
    case 'put aside':
      return putAside(pool, volume, label ?? '');
    case 'rest':
      return rest(pool, volume);
    case 'commit':
      return commit(pool, volume, isUnclean(volume, machine));
  }
}

/** The working copy goes, and with a snapshot its own name of the head. */
export async function drop(pool: Pool, volume: Volume, outcome: 'removed' | 'discarded'): Promise<Result> {
  const { work, head, file } = volume;
  const going = [work, file.volumeKind === 'snapshot' ? head : null].filter((image) => image !== null);
  for (const { path } of going) await pool.host.change(because(remove(path), `${volume.name} is ${outcome}`));
  await pool.host.change(sync(volume.dir));
  const left = file.volumeKind === 'snapshot' ? null : head;
  return { told: { outcome }, after: { ...volume, work: null, head: left, session: null } };
}

async function throwAway(pool: Pool, volume: Volume): Promise<Result> {
  const size = volume.work?.size ?? 0;
  if (volume.file.volumeKind === 'volatile' && volume.file.size !== size)
    await put(pool, volume, { size, why: 'the size it was grown to' });
  return drop(pool, volume, 'removed');
}

/** Nothing was written: the working copy is a copy of the head made ahead of the next start. */
async function rest(pool: Pool, volume: Volume): Promise<Result> {
  const [work, to] = [volume.work as Image, pathOf(volume, 'prepared')];
  const why = 'nothing was written to it';
  const free = volume.prepared === null && !volume.strange.includes(to);
  await pool.host.change(because(free ? rename(work.path, to) : remove(work.path), why));
  await pool.host.change(sync(volume.dir));
  const prepared = free ? { ...work, path: to } : volume.prepared;
  return { told: { outcome: 'unchanged' }, after: { ...volume, work: null, session: null, prepared } };
}

async function commit(pool: Pool, volume: Volume, unclean: boolean): Promise<Result> {
  const work = await seal(pool, volume);
  if (unclean) await noteUnclean(pool, volume, work);
  const keep = unclean || !historyOff(policyOf(pool, volume));
  const savedAs = keep ? await saveHead(pool, volume) : null;
  const why = `what was written to ${volume.name} is its head now`;
  await replaceHead(pool, volume, { path: work.path, image: work, why });
  const head = { ...work, path: pathOf(volume, 'head') };
  const after = { ...withTwin(volume, savedAs), head, work: null, prepared: null, session: null };
  return { told: { outcome: 'committed', savedAs }, after };
}

async function noteUnclean(pool: Pool, volume: Volume, work: Image): Promise<void> {
  const images = withImage(volume, work, { sha256: null, consistency: 'unclean' });
  await put(pool, volume, { images, why: 'its last writes may be missing' });
}

/**
 * Retention after every stop that was not of an unclean working copy, so that a second one finds nothing more to remove;
 * that it failed does not undo the stop.
 */
async function pruneAfter(pool: Pool, { volume, machine }: Scene, after: Volume): Promise<number[]> {
  if (volume.file.volumeKind !== 'saved' || isUnclean(volume, machine) || hasUncleanHead(after)) return [];
  try {
    return await prune(pool, after);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    pool.call.warn(`${after.name} could not be pruned: ${error.message}`);
    return [];
  }
}

const hasUncleanHead = (volume: Volume) =>
  volume.head !== null && imageFacts(volume, volume.head)?.consistency === 'unclean';
