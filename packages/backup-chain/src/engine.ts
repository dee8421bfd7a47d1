import { Failure } from '@platter/host/failure';
import type { ChangeList } from './change-list.ts';
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

/** The newest point of a disk, how many links it rests on, and what is wrong with them. */
export interface Parent {
  point: Point;
  links: number;
  findings: readonly Finding[];
}

export interface Wish {
  engine: 'auto' | 'diff' | 'fiemap';
  full: boolean;
  maxChain: number;
}

export type FullReason = 'first' | 'forced' | 'max-chain' | 'chain-damaged';

/** How a disk will be captured, and why not otherwise. */
export interface Decision {
  type: 'full' | 'incremental';
  fullReason: FullReason | null;
  engine: 'diff' | 'fiemap';
  /** Why a change list that was given is not used. */
  ignored: string | null;
}

export const sameIdentity = (a: Identity, b: Identity): boolean =>
  a.ino === b.ino && a.birthNs === b.birthNs && a.mtimeNs === b.mtimeNs && a.size === b.size;

/** Why a capture must be a full; null when it can be an incremental. */
export function fullReason(parent: Parent | null, { full, maxChain }: Wish): FullReason | null {
  if (parent === null) return 'first';
  if (full) return 'forced';
  if (worst(parent.findings) !== 'noted') return 'chain-damaged';
  return parent.links >= maxChain ? 'max-chain' : null;
}

/** Why a change list does not tell all that changed since the parent; null when it does. */
function misfit(list: ChangeList | null, parent: Parent | null, source: Identity): string | null {
  if (list === null) return 'there is no list of changes';
  if (parent === null) return 'there is no point before';
  if (!sameIdentity(list.from, parent.point.capture.source))
    return `the changes are counted from another image than that of ${parent.point.id}`;
  return sameIdentity(list.to, source) ? null : 'the changes lead to another image than the source';
}

/** The capture's kind and engine (spec 3.2); an engine that was asked for and does not fit is refused. */
export function decide(
  wish: Wish,
  facts: { parent: Parent | null; list: ChangeList | null; source: Identity },
): Decision {
  const { parent, list, source } = facts;
  const reason = fullReason(parent, wish);
  const why = reason === null ? misfit(list, parent, source) : `this capture is a full (${reason})`;
  if (wish.engine === 'fiemap' && why !== null)
    throw new Failure('refused', `cannot capture by a list of changes: ${why}`, {
      hint: '--engine auto reads the whole source',
    });
  const engine = why === null && wish.engine !== 'diff' ? 'fiemap' : 'diff';
  const type = reason === null ? 'incremental' : 'full';
  const ignored = engine === 'diff' && wish.engine === 'auto' && list !== null ? why : null;
  return { type, fullReason: reason, engine, ignored };
}
