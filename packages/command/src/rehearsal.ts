import type { Host } from '@platter/host/door';
import { dry } from '@platter/host/dry';

/** A dry run: each change is printed as its shell line with its reason, or as a Step record under `-o json`. */
export function rehearsed(machine: Host, write: (line: string) => Promise<void>, flags: Record<string, unknown>): Host {
  const asJson = flags.output === 'json';
  return dry(machine, (shell, why) => {
    const step = { apiVersion: 'platter.dev/v1', kind: 'Step', shell, ...(why === undefined ? {} : { reason: why }) };
    void write(asJson ? `${JSON.stringify(step)}\n` : `${shell}${why === undefined ? '' : `  # ${why}`}\n`);
  });
}
