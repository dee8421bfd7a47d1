import { type Difference, differ } from '@platter/host/differ';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { readable } from './chosen.ts';
import { withPair } from './held.ts';
import { sameImage, savedNumber, sideOf } from './naming.ts';
import type { Pool } from './pool.ts';
import type { DiffRecord } from './records/diff.ts';
import { imageOf, type Reference } from './reference.ts';
import { exists, type Image, type Revision, type Volume } from './volume.ts';

/** One committed image and how it is called. */
export interface State {
  volume: string;
  ref: string;
  image: Image;
}

/** Most ranges in one line of output. */
export const lineRanges = 65_536;

const stateOf = (name: string, image: Image | Revision): State => ({
  volume: name,
  ref: `${name}@${'number' in image ? image.number : 'head'}`,
  image,
});

/** The committed image a reference means. */
export async function resolve(pool: Pool, { volume: name, target }: Reference): Promise<State> {
  const volume = await readable(pool, name);
  return stateOf(name, imageOf(volume, target));
}

/** What one word compares: the newest state with the one a backup has pinned, or else with the newest other one. */
export async function pair(pool: Pool, name: string): Promise<[State, State]> {
  const volume = await readable(pool, name);
  const to = newest(volume);
  const below = 'number' in to && sideOf(to) ? to.number : Number.POSITIVE_INFINITY;
  const others = volume.revisions.filter((one) => !sameImage(one, to) && one.number < below);
  const pinned = volume.revisions.findLast((one) => !sameImage(one, to) && isPinned(one));
  const from = pinned ?? others.at(-1);
  if (from === undefined)
    throw new Failure('refused', `${name} has no other state to compare with`, { hint: `reflink-pool show ${name}` });
  return [stateOf(name, from), stateOf(name, to)];
}

const isPinned = ({ facts }: Revision) => facts?.pins.includes('backup-chain') === true;

/** The head; where it is saved and side revisions lie above its name, the highest of them. */
function newest(volume: Volume): Image | Revision {
  const { head, name, revisions } = volume;
  if (!exists(volume) || head === null)
    throw new Failure('refused', `${name} has no head`, { hint: `reflink-pool revert ${name}@latest` });
  const saved = savedNumber(volume);
  const above = saved === null ? [] : revisions.filter((one) => one.number > saved && sideOf(one));
  return above.at(-1) ?? head;
}

export type DiffOptions = { align: number; exact: boolean; method: 'auto' | 'extents' | 'content' };

/** Compares two committed images as they are opened now. */
export function compare(pool: Pool, [a, b]: readonly [State, State], options: DiffOptions) {
  return withPair(pool.host, [a.image.path, b.image.path], async ({ from, to }) => {
    const meter = (bytes: number) => pool.call.progress('compare', bytes);
    const difference = await differ(pool.host, { from, to }, { ...options, meter });
    return { difference, from: told(a, from), to: told(b, to) };
  });
}

const told = ({ ref }: State, { path, ino, birthNs, mtimeNs, size }: Held): DiffRecord['from'] => ({
  ref,
  path,
  ino: String(ino),
  birthNs: String(birthNs),
  mtimeNs: String(mtimeNs),
  size,
});

type Sides = { from: DiffRecord['from']; to: DiffRecord['to']; volume: string; align: number };

/** The lines of a comparison: at most 65,536 ranges each, only the last of them complete. */
export function* lines(
  { from, to, volume, align }: Sides,
  { method, ranges, zeros }: Difference,
): Generator<DiffRecord> {
  const plain = (some: readonly { at: number; length: number }[]) =>
    some.map(({ at, length }): [number, number] => [at, length]);
  const count = Math.max(1, Math.ceil(Math.max(ranges.length, zeros.length) / lineRanges));
  for (let line = 0; line < count; line += 1) {
    const part = <T>(list: readonly T[]) => list.slice(line * lineRanges, (line + 1) * lineRanges);
    const head = { apiVersion: 'platter.dev/v1', kind: 'DiskDiff', metadata: { name: volume }, from, to } as const;
    const places = { ranges: plain(part(ranges)), zeros: plain(part(zeros)) };
    yield { ...head, format: 'raw', method, align, ...places, complete: line === count - 1 };
  }
}
