import { readable } from './chain-rules.ts';
import type { Expiry } from './expire.ts';
import { setsOf } from './keeping.ts';
import type { BackupSet, Point } from './manifest-kinds.ts';
import type { DiskFacts, VmFacts } from './repository.ts';
import { inOrder, setsInOrder } from './view.ts';

/** How expired points go: what may be merged, and whether a full may be folded. */
export interface Manner {
  strategy: 'merge' | 'whole-chain';
  fold: 'auto' | 'always' | 'never';
  /** Files can share extents where the repository lies: a fold copies little. */
  reflinks: boolean;
}

/** Expired points that become a part of the retained point above them; with the full among them it is a fold. */
export interface Uptake {
  op: 'merge' | 'fold';
  disk: string;
  /** Oldest first. */
  points: Point[];
  into: Point;
}

/** Points of a disk that nothing needs any more, leaf first. */
export interface Dropped {
  disk: DiskFacts;
  points: Point[];
}

export interface PrunePlan {
  expiry: Expiry;
  uptakes: Uptake[];
  dropped: Dropped[];
}

/** Whether a point that no set names came after the newest set: its run was interrupted, and the next one builds on it. */
function isNewer(newest: BackupSet | undefined, disk: DiskFacts, point: Point): boolean {
  if (newest === undefined) return true;
  const member = newest.members.find((one) => one.disk === disk.name);
  const last = readable(disk).find(({ id }) => id === member?.point);
  if (last !== undefined) return point.sequence > last.sequence;
  return Date.parse(point.capturedAt) > Date.parse(newest.capturedAt);
}

/** The points of a disk that stay by themselves: those of kept sets, and those newer than any set. */
function retainedOf(facts: VmFacts, disk: DiskFacts, { kept }: Expiry): Set<string> {
  const sets = setsInOrder(facts);
  const named = (all: readonly BackupSet[]) =>
    all.flatMap(({ members }) => members.filter((one) => one.disk === disk.name).map(({ point }) => point));
  const all = new Set(named(sets));
  const newer = readable(disk).filter((point) => !all.has(point.id) && isNewer(sets.at(-1), disk, point));
  return new Set([
    ...named(
      setsOf(
        facts,
        kept.map(({ id }) => id),
      ),
    ),
    ...newer.map(({ id }) => id),
  ]);
}

/** The points below one, nearest first; each once, should they go round. */
function below(disk: DiskFacts, point: Point): Point[] {
  const points = new Map(readable(disk).map((one) => [one.id, one]));
  const found: Point[] = [];
  for (
    let next = points.get(point.parent?.id ?? '');
    next && !found.includes(next);
    next = points.get(next.parent?.id ?? '')
  )
    found.push(next);
  return found;
}

function foldsNow(points: readonly Point[], { fold, reflinks }: Manner): boolean {
  if (fold !== 'auto') return fold === 'always';
  const [full, ...increments] = points;
  const bytes = increments.reduce((sum, { data }) => sum + data.size, 0);
  return reflinks || points.length >= 8 || bytes > (full?.data.size ?? 0) / 2;
}

/** The run of expired points directly below a retained one, if it is to be merged into it. */
function uptakeOf(disk: DiskFacts, [into, retained]: readonly [Point, ReadonlySet<string>], manner: Manner): Uptake[] {
  const lower = below(disk, into);
  const end = lower.findIndex(({ id }) => retained.has(id));
  const points = lower.slice(0, end < 0 ? undefined : end).reverse();
  const op = points[0]?.type === 'full' ? 'fold' : 'merge';
  if (manner.strategy !== 'merge' || points.length === 0 || (op === 'fold' && !foldsNow(points, manner))) return [];
  return [{ op, disk: disk.name, points, into }];
}

function planDisk(
  facts: VmFacts,
  [disk, expiry]: readonly [DiskFacts, Expiry],
  manner: Manner,
): Pick<PrunePlan, 'uptakes' | 'dropped'> {
  const retained = retainedOf(facts, disk, expiry);
  const stay = inOrder(disk).filter(({ id }) => retained.has(id));
  const needed = new Set(stay.flatMap((point) => [point, ...below(disk, point)]).map(({ id }) => id));
  const points = inOrder(disk)
    .filter(({ id }) => !needed.has(id))
    .reverse();
  const uptakes = stay.flatMap((point) => uptakeOf(disk, [point, retained], manner));
  return { uptakes, dropped: points.length > 0 ? [{ disk, points }] : [] };
}

/** What pruning a VM comes to, in the order in which it is done (spec 3.11). */
export function planOf(facts: VmFacts, expiry: Expiry, manner: Manner): PrunePlan {
  const disks = facts.disks.map((disk) => planDisk(facts, [disk, expiry], manner));
  return { expiry, uptakes: disks.flatMap(({ uptakes }) => uptakes), dropped: disks.flatMap(({ dropped }) => dropped) };
}
