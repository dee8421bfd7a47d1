import type { Pair } from '@platter/host/differ';
import type { Host } from '@platter/host/door';
import { hold } from '@platter/host/looks';

/** Runs `work` with two files held open; both are closed after it, and the first one also when the second is gone. */
export async function withPair<T>(
  host: Host,
  [a, b]: readonly [string, string],
  work: (pair: Pair) => Promise<T>,
): Promise<T> {
  const from = await host.query(hold(a));
  try {
    const to = await host.query(hold(b));
    return await work({ from, to }).finally(() => to.close());
  } finally {
    from.close();
  }
}
