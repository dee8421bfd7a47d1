import type { Call } from '@platter/command/call';
import { reading } from '@platter/command/words';
import type { Moment } from './arming.ts';
import { clockOf } from './clock.ts';
import { type Leases, pathOf, writeLease } from './leases.ts';
import { underLock } from './locked.ts';
import type { Lifetime } from './records.ts';

interface Which {
  leases: Leases;
  id: string;
  verb: string;
}

/** Changes one lifetime under its lock: read afresh, changed by `change`, written whole when it is another one. */
export async function rewrite(
  call: Call<unknown>,
  { leases, id, verb }: Which,
  change: (last: Lifetime, moment: Moment) => Lifetime,
): Promise<Lifetime> {
  reading('ID', () => pathOf(leases, id));
  return underLock(call, { leases, id }, async (last, clocks) => {
    const next = change(last, { now: clocks.wall, clock: clockOf(clocks), verb });
    if (next !== last) await writeLease(call.host, leases, { lifetime: next, pid: call.holder.pid });
    return next;
  });
}
