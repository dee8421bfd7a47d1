import type { Check } from './checked.ts';
import type { Point } from './manifest-kinds.ts';
import type { DiskFacts, VmFacts } from './repository.ts';

/** A data file that is to be read whole. */
export interface Subject {
  facts: VmFacts;
  disk: DiskFacts;
  point: Point;
  path: string;
  last: Check | null;
}

/** How much is read at most, and of what. */
export interface ScrubLimits {
  /** Milliseconds after which no further file is begun; null is any. */
  time: number | null;
  /** Bytes after which no further file is begun. */
  bytes: number | null;
  /** Files that were sound so many milliseconds ago or later are left out. */
  olderThan: number | null;
}

const checkedAt = ({ last }: Subject): number => (last === null ? Number.NEGATIVE_INFINITY : Date.parse(last.at));

/** The files to read, least recently checked first, each once; one that was not sound is never left out. */
export function scrubOrder(
  subjects: readonly Subject[],
  { olderThan }: Pick<ScrubLimits, 'olderThan'>,
  now: number,
): Subject[] {
  const once = [...new Map(subjects.map((one) => [one.path, one])).values()];
  const due = once.filter((one) => olderThan === null || !one.last?.ok || checkedAt(one) < now - olderThan);
  return due.sort((a, b) => Math.sign(checkedAt(a) - checkedAt(b)) || (a.path < b.path ? -1 : 1));
}

/** Whether a further file may be begun. */
export const mayGoOn = ({ time, bytes }: ScrubLimits, spent: { time: number; bytes: number }): boolean =>
  (time === null || spent.time < time) && (bytes === null || spent.bytes < bytes);
