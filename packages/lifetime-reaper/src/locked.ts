import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { type Clocks, readClocks } from './clock.ts';
import { type Leases, lockLease, readLease } from './leases.ts';
import type { Lifetime } from './records.ts';

/** The refusal of an id that has no lease. */
export const unknown = (id: string) =>
  new Failure('refused', `there is no lifetime ${id}`, { hint: 'lifetime-reaper status' });

/** Works on one lifetime under its lock, read afresh; one that is not there is refused before a lock file is made. */
export async function underLock<T>(
  call: Call<unknown>,
  { leases, id }: { leases: Leases; id: string },
  work: (last: Lifetime, clocks: Clocks) => Promise<T>,
): Promise<T> {
  if ((await readLease(call.host, leases, id)) === null) throw unknown(id);
  const lock = await lockLease(call.host, leases, { id, holder: call.holder });
  try {
    const last = await readLease(call.host, leases, id);
    if (last === null) throw unknown(id);
    return await work(last, await readClocks(call.host, call.now()));
  } finally {
    lock.release();
  }
}
