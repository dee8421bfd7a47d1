import type { Call } from '@platter/command/call';
import { lstat } from '@platter/host/looks';
import type { VmPaths } from './layout.ts';

/** The VM's shared lock: what is read stays until the run ends. A foreign copy may have none; then it is said. */
export async function lockForReading(call: Call<unknown>, { use }: VmPaths, wait: number): Promise<void> {
  if ((await call.host.query(lstat(use))) === null)
    call.note(`there is no ${use}: nobody is kept from purging meanwhile`);
  else await call.host.query({ op: 'lock', path: use, shared: true, wait });
}
