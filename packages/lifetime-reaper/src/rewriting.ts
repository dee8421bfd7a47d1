import type { Call } from '@platter/command/call';
import { reading } from '@platter/command/words';
import type { Moment } from './arming.ts';
import { clockOf, readClocks } from './clock.ts';
import { type Leases, lockLease, pathOf, readLease, writeLease } from './leases.ts';
import { unknown } from './reaping.ts';
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
  if ((await readLease(call.host, leases, id)) === null) throw unknown(id);
  const lock = await lockLease(call.host, leases, { id, holder: call.holder });
  try {
    const last = await readLease(call.host, leases, id);
    if (last === null) throw unknown(id);
    const clocks = await readClocks(call.host, call.now());
    const next = change(last, { now: clocks.wall, clock: clockOf(clocks), verb });
    if (next !== last) await writeLease(call.host, leases, { lifetime: next, pid: call.holder.pid });
    return next;
  } finally {
    lock.release();
  }
}
