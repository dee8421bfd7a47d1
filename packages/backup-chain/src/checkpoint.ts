import type { Bitmap } from '@platter/qcow2/bitmaps';
import { readable } from './chain-rules.ts';
import type { Point } from './manifest-kinds.ts';
import type { VmFacts } from './repository.ts';

/** What every bitmap of a repository is named like: a name that another repository's do not have. */
const prefixOf = (repo: string): string => `platter-${repo.slice(0, 8)}-`;

/** The bitmap that marks what was written since a point was captured. */
export const checkpointName = (repo: string, id: string): string => `${prefixOf(repo)}${id}`;

/** A bitmap of this repository, and the id of its point. */
export type Mark<B extends { name: string } = Bitmap> = B & { id: string };

/** The bitmaps that carry this repository's name. */
export function marksOf<B extends { name: string }>(bitmaps: readonly B[], repo: string): Mark<B>[] {
  const prefix = prefixOf(repo);
  const ours = bitmaps.filter(({ name }) => name.startsWith(prefix));
  return ours.map((one) => ({ ...one, id: one.name.slice(prefix.length) }));
}

/** The ids that a disk has or had a point of. */
function knownIds({ disks }: VmFacts, name: string): Set<string> {
  const points = disks.filter((disk) => disk.name === name).flatMap(readable);
  return new Set(points.flatMap(({ id, checkpointChain, supersedes }) => [id, ...checkpointChain, ...supersedes]));
}

/** Bitmaps of ours that no point of the disk was published for: a run that was broken off left them. */
export function strayMarks<M extends Mark<{ name: string }>>(marks: readonly M[], facts: VmFacts, disk: string): M[] {
  const known = knownIds(facts, disk);
  return marks.filter(({ id }) => !known.has(id));
}

/** The newest point of a chain whose bitmap can be gone by, or why there is none. */
export type Base = { point: Point; why: null } | { point: null; why: string };

/** What a chain can be continued by: of its points (oldest first) the newest that has a bitmap without a fault. */
export function baseOf<M extends Mark<{ name: string }>>(
  points: readonly Point[],
  marks: readonly M[],
  fault: (mark: M, point: Point) => string | null,
): Base {
  let why: string | null = null;
  for (const point of [...points].reverse()) {
    const mark = marks.find(({ id }) => id === point.id);
    if (mark === undefined) continue;
    const wrong = fault(mark, point);
    if (wrong === null) return { point, why: null };
    why ??= `the bitmap of ${point.id} ${wrong}`;
  }
  return { point: null, why: why ?? 'there is no bitmap of a point of its chain' };
}

/** What a run leaves behind: the point its bitmaps counted from, its own id, and whether it made a new point. */
export interface Left {
  repo: string;
  base: Point | null;
  id: string;
  isNew: boolean;
}

/** The names of bitmaps, of those there were and the new one, that the next capture does not go by. */
export function spentMarks(marks: readonly Mark<{ name: string }>[], { repo, base, id, isNew }: Left): string[] {
  const older = marks.map(({ name }) => name);
  if (isNew) return older;
  const unused = base === null ? [] : older.filter((name) => name !== checkpointName(repo, base.id));
  return [...unused, checkpointName(repo, id)];
}
