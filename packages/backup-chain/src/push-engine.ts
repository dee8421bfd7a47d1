import { baseOf, type Mark } from './checkpoint.ts';
import { type Decision, type FullReason, fullReason, type Parent, type Wish } from './engine.ts';
import type { Point } from './manifest-kinds.ts';
import type { LiveBitmap } from './qemu-monitor.ts';

/** What is known of a disk of a running QEMU. */
export interface LiveSides {
  parent: Parent | null;
  /** Guest bytes. */
  size: number;
  marks: readonly Mark<LiveBitmap>[];
}

const unfit = ({ recording, busy, inconsistent }: LiveBitmap): FullReason | null =>
  inconsistent ? 'bitmap-inconsistent' : recording && !busy ? null : 'no-bitmap';

/** The bitmap a push goes by, or why all is pushed. */
function pushBase({ parent, size, marks }: LiveSides): { point: Point | null; reason: FullReason | null } {
  if (parent?.point.virtualSize !== size) return { point: null, reason: 'resized' };
  let reason: FullReason = 'no-bitmap';
  const { point } = baseOf(parent.links, marks, (mark, one) => {
    const wrong = one.virtualSize === size ? unfit(mark) : 'resized';
    if (wrong === 'bitmap-inconsistent') reason = wrong;
    return wrong;
  });
  return { point, reason: point === null ? reason : null };
}

/** What QEMU is asked to push (spec 3.3): all of a disk, or what a bitmap of the chain marks. */
export function decidePush(wish: Wish, sides: LiveSides): Decision {
  const full = fullReason(sides.parent, wish);
  const { point, reason } = full === null ? pushBase(sides) : { point: null, reason: full };
  const type = reason === null ? 'incremental' : 'full';
  return { type, fullReason: reason, engine: 'qmp', base: point, tracks: true, ignored: null };
}
