import { about } from './about.ts';
import { expiryOf, factsAbout, notesOf, sameNotes, withName } from './facts.ts';
import { locked } from './lock.ts';
import { around, mustExist } from './machine.ts';
import { announce, atOneMoment, give, type Moment } from './moment.ts';
import { nextNumber, revisionPath, twinOf, withRevision, withTwin } from './naming.ts';
import type { Pause } from './pause.ts';
import type { Pool } from './pool.ts';
import { mappingsOf, predictedMs } from './prediction.ts';
import type { SnapshotRecord } from './records/snapshot.ts';
import {
  type Candidate,
  carrier,
  consistencyOf,
  decideSnapshot,
  knownNumber,
  type Marks,
  marked,
  refuseStateless,
  type SnapshotWish,
} from './snapshotting.ts';
import { stamped } from './stamp.ts';
import { stateOf } from './state.ts';
import { further, put, saveHead } from './steps.ts';
import { isUnclean } from './stopping.ts';
import { type Image, imageFacts, type Revision, type Volume } from './volume.ts';

/** What the person wants, and the hook that quiets guests. */
export interface Order {
  wish: SnapshotWish;
  hook: string | null;
}

/** The flags of a snapshot as they were said. */
interface Said {
  label: string | undefined;
  set: string | undefined;
  expires: number | undefined;
  pin: string | undefined;
  hook: string | undefined;
  'if-changed': boolean;
  'max-pause': number | undefined;
  'allow-skew': boolean;
}

/** What is wanted at `now` (ms), when `@` and durations become the moment they mean. */
export function orderOf({ label, set, expires, pin, hook, ...said }: Said, now: number): Order {
  const at = (text: string | undefined) => (text === undefined ? null : stamped(text, now));
  const expiresAt = expires === undefined ? null : expiryOf(now, expires);
  const marks = { label: at(label), set: at(set), expiresAt, owner: pin ?? null };
  const limits = { maxPause: said['max-pause'] ?? null, allowSkew: said['allow-skew'] };
  const wish = { ...marks, ...limits, ifChanged: said['if-changed'], hooked: hook !== undefined };
  return { hook: hook ?? null, wish };
}

/** Names the present state of a volume under its lock: the head's when it is stopped, else what its working copy holds. */
export function snapshot(pool: Pool, name: string, { wish, hook }: Order): Promise<SnapshotRecord> {
  return locked(pool, name, async (found) => {
    const one = await candidateOf(pool, await mustExist(pool, found));
    if (!decideSnapshot([one], wish)) return known(one.volume);
    if (one.volume.work === null) return nameHead(pool, one.volume, wish);
    const pause = pauseOf([name], { wish, hook });
    return atOneMoment(pool, { candidates: [one], pause }, async (moments, pauseMs) => {
      for (const moment of moments) await announce(pool, moment, wish);
      for (const moment of moments) await give(pool, moment);
      const [record] = recordsOf(moments, [one], { set: null, pauseMs });
      return record as SnapshotRecord;
    });
  });
}

/** How writers of these volumes are kept waiting. */
export const pauseOf = (volumes: readonly string[], { wish, hook }: Order): Pause => ({
  budget: wish.maxPause,
  hook: hook === null ? null : { path: hook, volumes },
});

/** A volume with what naming its present state costs, looked at before the first change. */
export async function candidateOf(pool: Pool, volume: Volume): Promise<Candidate> {
  refuseStateless(volume, pool.settings.backend);
  if (volume.work === null) return { volume, cost: null, running: false, unclean: false };
  const machine = await around(pool, volume, false);
  const { bootId, holders } = machine;
  const running = stateOf(volume, { bootId, held: holders.length > 0 }) === 'running';
  const mappings = await mappingsOf(pool, volume.work);
  const cost = { mappings, predictedMs: predictedMs(pool, mappings) };
  return { volume, cost, running, unclean: isUnclean(volume, machine) };
}

/** The record of a volume whose present state has a name already. */
export function known(volume: Volume): SnapshotRecord {
  const number = knownNumber(volume);
  const revision = volume.revisions.find((one) => one.number === number) ?? null;
  const consistency = imageFacts(volume, revision ?? (volume.head as Image))?.consistency ?? null;
  return { ...told(volume, number), consistency, outcome: 'already', set: notesOf(revision).set };
}

const told = (volume: Volume, number: number | null) => ({
  ...about('Snapshot', volume.name),
  number,
  consistency: consistencyOf(volume, false),
  mappings: null,
  predictedMs: null,
  pauseMs: null,
});

/** The records of states that got their names. */
export function recordsOf(
  moments: readonly Moment[],
  candidates: readonly Candidate[],
  { set, pauseMs }: { set: string | null; pauseMs: number | null },
): SnapshotRecord[] {
  return moments.map(({ volume, number, consistency }) => {
    const cost = candidates.find((one) => one.volume === volume)?.cost ?? null;
    const live = volume.work === null ? {} : { pauseMs };
    return { ...told(volume, number), ...cost, ...live, consistency, outcome: 'created', set };
  });
}

/** A stopped volume: its head has a name or gets one, which carries the marks; a name that says something else stays. */
async function nameHead(pool: Pool, volume: Volume, marks: Marks): Promise<SnapshotRecord> {
  const twin = carrier(volume, marks);
  const [before, after] = [notesOf(twin), marked(notesOf(twin), marks)];
  const saved = twin === null ? await withFurtherName(pool, volume) : volume;
  const named = twin ?? (twinOf(saved) as Revision);
  const facts = factsAbout(named, after);
  const why = `what is noted about ${volume.name}@${named.number}`;
  if (!sameNotes(before, after)) await put(pool, saved, { revisions: withName(saved, named.number, facts), why });
  const same = twin !== null && (marks.label === null || before.label === marks.label);
  return { ...told(volume, named.number), outcome: same ? 'already' : 'created', set: after.set };
}

/** SAVE-HEAD; where the head has a name already one more, because that one is somebody else's. */
async function withFurtherName(pool: Pool, volume: Volume): Promise<Volume> {
  if (twinOf(volume) === null) return withTwin(volume, await saveHead(pool, volume));
  const [head, number] = [volume.head as Image, nextNumber(volume)];
  const why = 'its other name says something else';
  await further(pool, { from: head, to: revisionPath(volume, number, head), mode: 0o400, why });
  return withRevision(volume, { image: head, number, facts: null });
}
