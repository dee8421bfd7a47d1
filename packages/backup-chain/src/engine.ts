import { Failure } from '@platter/host/failure';
import type { ChangeList } from './change-list.ts';
import { type Base, baseOf, type Mark } from './checkpoint.ts';
import type { Finding } from './finding.ts';
import { worst } from './finding.ts';
import type { Point } from './manifest-kinds.ts';

/** What a file was when it was looked at: two files with the same identity hold the same bytes. */
export interface Identity {
  ino: string;
  birthNs: string;
  mtimeNs: string;
  size: number;
}

/** The newest point of a disk, the points it rests on with itself last, and what is wrong with them. */
export interface Parent {
  point: Point;
  links: readonly Point[];
  findings: readonly Finding[];
}

export interface Wish {
  engine: 'auto' | 'diff' | 'fiemap' | 'bitmap' | 'qmp';
  full: boolean;
  maxChain: number;
}

export type FullReason =
  | ('first' | 'forced' | 'max-chain' | 'chain-damaged')
  | ('no-bitmap' | 'bitmap-inconsistent' | 'resized');

/** How a disk will be captured, and why not otherwise. */
export interface Decision {
  type: 'full' | 'incremental';
  fullReason: FullReason | null;
  engine: 'diff' | 'fiemap' | 'bitmap' | 'qmp';
  /** The point since which a bitmap of the source marks what was written. */
  base: Point | null;
  /** Whether a bitmap of the new point is started. */
  tracks: boolean;
  /** Why a change list or a bitmap that is there is not gone by. */
  ignored: string | null;
}

export const sameIdentity = (a: Identity, b: Identity): boolean =>
  a.ino === b.ino && a.birthNs === b.birthNs && a.mtimeNs === b.mtimeNs && a.size === b.size;

/** Why a capture must be a full; null when it can be an incremental. */
export function fullReason(parent: Parent | null, { full, maxChain }: Wish): FullReason | null {
  if (parent === null) return 'first';
  if (full) return 'forced';
  if (worst(parent.findings) !== 'noted') return 'chain-damaged';
  return parent.links.length >= maxChain ? 'max-chain' : null;
}

/** What a source marks by itself: why it cannot, and the bitmaps of this repository that it has. */
export interface Tracking {
  bar: string | null;
  marks: readonly Mark[];
}

/** What is known of a disk and its source when it is decided how to capture it. */
export interface Sides {
  parent: Parent | null;
  list: ChangeList | null;
  source: Identity;
  format: 'raw' | 'qcow2';
  /** Guest bytes. */
  size: number;
  tracking: Tracking;
}

/** Why a change list does not tell all that changed since the parent; null when it does. */
function misfit({ list, parent, source, format }: Sides): string | null {
  if (list === null) return 'there is no list of changes';
  if (format !== 'raw') return 'the changes are those of a file, and the source is an image in it';
  if (parent === null) return 'there is no point before';
  if (!sameIdentity(list.from, parent.point.capture.source))
    return `the changes are counted from another image than that of ${parent.point.id}`;
  return sameIdentity(list.to, source) ? null : 'the changes lead to another image than the source';
}

function faultOf({ inUse, enabled }: Mark, isSame: boolean): string | null {
  if (inUse) return 'was not closed by its last writer';
  if (!enabled) return 'is disabled';
  return isSame ? null : 'is of another size of the disk';
}

/** The bitmap that marks what changed since a point of the parent's chain. */
function baseFor({ parent, tracking: { bar, marks }, size }: Sides): Base {
  if (bar !== null) return { point: null, why: bar };
  const isSame = (point: Point) => point.virtualSize === size && parent?.point.virtualSize === size;
  return baseOf(parent?.links ?? [], marks, (mark, point) => faultOf(mark, isSame(point)));
}

/** Whether the chain was kept by bitmaps of the source, in whatever state they are now. */
const wasTracked = ({ parent, tracking }: Sides): boolean =>
  tracking.marks.some(({ id }) => parent?.point.checkpointChain.includes(id));

function demand(engine: Wish['engine'], list: string | null, bar: string | null): void {
  if (engine === 'fiemap' && list !== null)
    throw new Failure('refused', `cannot capture by a list of changes: ${list}`, {
      hint: '--engine auto reads the whole source',
    });
  if (engine === 'bitmap' && bar !== null)
    throw new Failure('refused', `cannot capture by bitmaps: ${bar}`, { hint: '--engine diff reads the whole source' });
}

/** The capture's kind and engine (spec 3.2); an engine that was asked for and does not fit is refused. */
export function decide(wish: Wish, sides: Sides): Decision {
  const full = fullReason(sides.parent, wish);
  const isFull = full === null ? null : `this capture is a full (${full})`;
  const list = isFull ?? misfit(sides);
  demand(wish.engine, list, sides.tracking.bar);
  const asked = (engine: Wish['engine']) => wish.engine === engine || wish.engine === 'auto';
  const isTracked = wish.engine === 'bitmap' || (wish.engine === 'auto' && wasTracked(sides));
  const tracks = isTracked && sides.tracking.bar === null;
  const base: Base = isFull === null ? baseFor(sides) : { point: null, why: isFull };
  const chosen = { type: full === null ? 'incremental' : 'full', fullReason: full, base: null, tracks } as const;
  if (list === null && asked('fiemap')) return { ...chosen, engine: 'fiemap', ignored: null };
  if (base.point !== null && asked('bitmap')) return { ...chosen, engine: 'bitmap', base: base.point, ignored: null };
  const given = wish.engine === 'auto' && sides.list !== null ? list : null;
  return { ...chosen, engine: 'diff', ignored: given ?? (isTracked && isFull === null ? base.why : null) };
}
