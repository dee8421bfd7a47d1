import { Failure } from '@platter/host/failure';
import type { Identity } from './engine.ts';
import { sameIdentity } from './engine.ts';
import type { ForeignFile } from './foreign.ts';
import type { Point } from './manifest-kinds.ts';

/** A file to import: the id its point would keep, and SHA-256 over its chunk digests where somebody has to know. */
export interface Wanted extends Pick<ForeignFile, 'type' | 'path'> {
  id: string | null;
  root: string | null;
}

/** A point that is there already; one that was and is merged or gone; or one to be made. */
export type Verdict = { state: 'here'; point: Point } | { state: 'gone' } | { state: 'new' };

export interface Standing {
  /** `NS/VM/DISK`. */
  disk: string;
  /** The points that are there, oldest first. */
  points: readonly Point[];
  /** Whether a full may follow points. */
  full: boolean;
  /** The point that the first file stands on. */
  after: Point | null;
}

/** The root that a file must have when it is one that was imported: known by what it is, else to be read (null). */
export function knownRoot(points: readonly Point[], file: Identity): { root: string | null; read: boolean } {
  const imported = points.map(({ capture }) => capture.source).filter(({ sourceRoot }) => sourceRoot !== null);
  const same = imported.find((source) => sameIdentity(source, file));
  if (same !== undefined) return { root: same.sourceRoot, read: false };
  return { root: null, read: imported.some(({ size }) => size === file.size) };
}

const holds = ({ capture }: Point, root: string | null): boolean => root !== null && capture.source.sourceRoot === root;

const refuse = (message: string, hint?: string): Failure =>
  new Failure('refused', message, hint === undefined ? {} : { hint });

/** The first new file of a disk must find its place: a full an empty disk or a wish for it, an increment the latest point. */
function refusePlace(wanted: Wanted, { disk, points, full }: Standing, before: Point | null): void {
  const latest = points.at(-1) ?? null;
  if (wanted.type === 'incremental') {
    if (before?.id !== latest?.id)
      throw refuse(`will not import ${wanted.path}: ${before?.id ?? 'its parent'} is not the latest point of ${disk}`);
  } else if (latest !== null && !full)
    throw refuse(
      `will not import ${wanted.path}: ${disk} has points already`,
      wanted.id === null
        ? `--full starts a new chain, --after ${latest.id} goes on with this one`
        : '--full starts a new chain',
    );
}

/** The point that holds a file with this root in this place. */
function sameAt(points: readonly Point[], { type, root }: Wanted, before: Point | null): Point | undefined {
  if (type === 'full') return points.findLast((point) => point.type === 'full' && holds(point, root));
  return points.find((point) => point.parent !== null && point.parent.id === before?.id && holds(point, root));
}

/** Files without ids: each is known by what it holds and what it stands on. */
function byContent(wanted: readonly Wanted[], standing: Standing): Verdict[] {
  let before = standing.after;
  let isNew = false;
  return wanted.map((one) => {
    const point = isNew ? undefined : sameAt(standing.points, one, before);
    if (point === undefined && !isNew) refusePlace(one, standing, before);
    isNew = point === undefined;
    before = point ?? null;
    return point === undefined ? { state: 'new' } : { state: 'here', point };
  });
}

/** Files with ids: known by those; what is older than the newest one here and is not here was merged or expired. */
function byId(wanted: readonly Wanted[], standing: Standing): Verdict[] {
  const { disk, points } = standing;
  const found = wanted.map(({ id }) => points.find((point) => point.id === id) ?? null);
  const newest = found.findLastIndex((point) => point !== null);
  for (const [n, point] of found.entries())
    if (point !== null && !holds(point, wanted[n]?.root ?? null))
      throw refuse(`will not import ${wanted[n]?.path}: ${disk}@${point.id} is there with other content`);
  const first = wanted[newest + 1];
  if (first !== undefined)
    refusePlace(first, { ...standing, full: standing.full || newest >= 0 }, found[newest] ?? null);
  return found.map((point, n) => (point === null ? { state: n < newest ? 'gone' : 'new' } : { state: 'here', point }));
}

/** Which files of a disk are points already, and which become some (spec 3.4); 3 when they do not fit what is there. */
export const verdicts = (wanted: readonly Wanted[], standing: Standing): Verdict[] =>
  wanted.some(({ id }) => id !== null) ? byId(wanted, standing) : byContent(wanted, standing);
