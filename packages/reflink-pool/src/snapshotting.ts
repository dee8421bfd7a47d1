import { Failure } from '@platter/host/failure';
import { type Notes, notesOf, pinned, refuseTaken, refuseUnnumbered } from './facts.ts';
import { isTwin, nextNumber, savedNumber, sideOf, twinOf } from './naming.ts';
import type { ImageFacts } from './sidecar.ts';
import { type Image, imageFacts, type Revision, type Volume } from './volume.ts';

export type Consistency = ImageFacts['consistency'];

/** What is to be noted about the names that a snapshot gives. */
export interface Marks {
  label: string | null;
  set: string | null;
  expiresAt: string | null;
  owner: string | null;
}

/** What the person wants of a snapshot; `maxPause` in ms. */
export interface SnapshotWish extends Marks {
  ifChanged: boolean;
  maxPause: number | null;
  hooked: boolean;
  allowSkew: boolean;
}

/** A volume to be named. */
export interface Candidate {
  volume: Volume;
  /** What cloning its working copy will take; null when it is stopped. */
  cost: { mappings: number; predictedMs: number } | null;
  /** Whether somebody may be writing it. */
  running: boolean;
  /** Whether its working copy outlived a restart: then its mtime does not tell that nothing was written. */
  unclean: boolean;
}

/**
 * Refuses a volume without a state that could be named. A changing file is copied over some time, so in a pool that
 * cannot clone a started volume has none.
 */
export function refuseStateless(volume: Volume, backend: 'reflink' | 'copy'): void {
  const { name, head, work } = refuseUnnumbered(volume);
  if (head === null && work === null)
    throw new Failure('refused', `will not snapshot ${name}: it has no head`, {
      hint: `reflink-pool revert ${name}@latest`,
    });
  if (work === null || backend === 'reflink') return;
  throw new Failure('unsupported', `will not snapshot ${name} while it is started: this pool cannot clone`, {
    hint: `reflink-pool stop ${name} first`,
  });
}

/** Decides whether the volumes are named now (false: nothing has changed); what may not be named is a Failure. */
export function decideSnapshot(candidates: readonly Candidate[], wish: SnapshotWish): boolean {
  refuseLong(candidates, wish);
  if (wish.ifChanged && candidates.every((one) => isKnown(one, wish))) return false;
  for (const { volume } of candidates) refuseTaken(volume, wish.label, labelledTwin(volume, wish.label));
  refuseSkewed(candidates, wish);
  return true;
}

function refuseLong(candidates: readonly Candidate[], { maxPause }: SnapshotWish): void {
  const predicted = candidates.reduce((sum, { cost }) => sum + (cost?.predictedMs ?? 0), 0);
  if (maxPause === null || predicted <= maxPause) return;
  const names = candidates.flatMap(({ volume, cost }) => (cost === null ? [] : [volume.name])).join(' ');
  throw new Failure('refused', `will not snapshot ${names}: writers would wait longer than --max-pause`, {
    details: { predicted: `${predicted} ms`, allowed: `${maxPause} ms` },
    hint: `reflink-pool stop and flatten, or a larger --max-pause`,
  });
}

/** Members of one set must be of one moment; without a hook they are some milliseconds apart. */
function refuseSkewed(candidates: readonly Candidate[], { set, hooked, allowSkew }: SnapshotWish): void {
  const running = candidates.filter((one) => one.running).map(({ volume }) => volume.name);
  if (set === null || hooked || allowSkew || running.length < 2) return;
  throw new Failure('refused', `will not make the set ${set}: nothing stops its members between one and the next`, {
    details: { running: running.join(' ') },
    hint: '--hook PROGRAM, or --allow-skew',
  });
}

/** Whether the present state has a name already. */
function isKnown({ volume, unclean }: Candidate, { set }: SnapshotWish): boolean {
  if (volume.work === null) return set !== null && savedNumber(volume) !== null;
  return !unclean && (sideOfWork(volume) !== null || isUnwritten(volume));
}

const sameMoment = (a: Image, b: Image) => a.size === b.size && a.mtimeNs === b.mtimeNs;

const isUnwritten = ({ head, work }: Volume) => head !== null && work !== null && sameMoment(head, work);

/** The newest snapshot that holds what the working copy holds now; null when none does. */
function sideOfWork({ revisions, work }: Volume): Revision | null {
  return revisions.findLast((one) => sideOf(one) && work !== null && sameMoment(one, work)) ?? null;
}

/** The number under which the present state is known; null for a head without one. */
export const knownNumber = (volume: Volume): number | null => sideOfWork(volume)?.number ?? savedNumber(volume);

/** The number of a new name: after the one that the head will get first when the volume is started. */
export function numberOf(volume: Volume): number {
  const first = volume.work !== null && volume.head !== null && savedNumber(volume) === null;
  return nextNumber(volume) + (first ? 1 : 0);
}

/** The notes of a name with what is wished for in their place. */
export function marked(notes: Notes, { label, set, expiresAt, owner }: Marks): Notes {
  const own = { label: label ?? notes.label, set: set ?? notes.set, expiresAt: expiresAt ?? notes.expiresAt };
  return { ...(owner === null ? notes : pinned(notes, owner)), ...own };
}

/** The name of the stopped head that can carry the marks without losing its own; null when a further one is needed. */
export function carrier(volume: Volume, { label, set, expiresAt }: Marks): Revision | null {
  const twin = labelledTwin(volume, label) ?? twinOf(volume);
  if (twin === null) return null;
  const { label: own, set: of } = notesOf(twin);
  const free = (a: string | null, b: string | null) => a === null || b === null || a === b;
  const expires = expiresAt !== null && (own ?? of) !== null && (own ?? of) !== (label ?? set);
  return free(label, own) && free(set, of) && !expires ? twin : null;
}

/** The name of the stopped head that has the label already. */
function labelledTwin(volume: Volume, label: string | null): Revision | null {
  if (label === null || volume.work !== null) return null;
  return volume.revisions.find((one) => one.facts?.label === label && isTwin(volume, one)) ?? null;
}

/** How much a state can be trusted; a set has the worst of its members. */
export function worst(all: readonly Consistency[]): Consistency {
  return (['unclean', 'crash', 'frozen'] as const).find((one) => all.includes(one)) ?? null;
}

/** What a new name of the volume's present state can be trusted for. */
export const consistencyOf = (volume: Volume, hooked: boolean): Consistency =>
  volume.work === null
    ? ((volume.head && imageFacts(volume, volume.head)?.consistency) ?? null)
    : hooked
      ? 'frozen'
      : 'crash';
