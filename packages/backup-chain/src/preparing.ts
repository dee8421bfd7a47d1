import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import type { CaptureWish, DiskWish } from './capture.ts';
import { chainOf } from './chain.ts';
import { readable } from './chain-rules.ts';
import { type Decision, decide, type Parent, type Tracking } from './engine.ts';
import type { Point } from './manifest-kinds.ts';
import type { Origin } from './origin.ts';
import type { VmFacts } from './repository.ts';

/** A disk that passed: what it is captured from, on what, and how. */
export interface Prepared {
  wish: DiskWish;
  origin: Origin;
  tracking: Tracking;
  parent: Parent | null;
  decision: Decision;
}

/** The newest point of a disk and its chain; null when the disk has none. */
export function parentOf(facts: VmFacts, name: string): Parent | null {
  const disk = facts.disks.find((one) => one.name === name);
  const latest = disk && readable(disk).reduce<Point | null>((a, b) => (a && a.sequence > b.sequence ? a : b), null);
  if (!disk || !latest) return null;
  return { point: latest, ...chainOf({ facts, disk }, latest.id) };
}

/** Refuses a disk that is said to be another than the repository knows. */
export function refuseOther(facts: VmFacts, { disk, uid }: DiskWish): void {
  const known = facts.disks.find(({ name }) => name === disk)?.identity.value?.uid;
  if (uid === null || known === undefined || known === uid) return;
  throw new Failure('refused', `will not capture ${disk}: the repository knows it as ${known}, not ${uid}`);
}

type Opened = Pick<Prepared, 'wish' | 'origin' | 'tracking'>;

/** Decides how a disk is captured; refuses what cannot be. */
export function prepare(facts: VmFacts, run: CaptureWish, { wish, origin, tracking }: Opened): Prepared {
  refuseOther(facts, wish);
  const parent = parentOf(facts, wish.disk);
  const { identity: source, format, size } = origin;
  const decision = decide(run, { parent, list: wish.list, source, format, size, tracking });
  return { wish, origin, tracking, parent, decision };
}

/** Says what a person would not expect of how a disk is captured. */
export function tell(call: Call<unknown>, { wish, decision, parent }: Omit<Prepared, 'origin' | 'tracking'>): void {
  const given = wish.list === null ? 'bitmap' : 'list of changes';
  if (decision.ignored !== null) call.note(`${wish.disk}: no ${given} is used: ${decision.ignored}`);
  if (decision.fullReason !== 'chain-damaged') return;
  const [first] = parent?.findings ?? [];
  call.warn(`${wish.disk}: a new full, because its chain is damaged: ${first?.object}: ${first?.message}`);
}
