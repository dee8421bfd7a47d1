import type { Host } from '@platter/host/door';
import { list } from '@platter/host/looks';
import { baseOf, isSegment } from './name.ts';

const deepest = 4;

/** The names of all volumes that have a file in a pool, in byte order; temporaries and symlinks make no volume. */
export async function familiesIn(host: Host, path: string, above: readonly string[] = []): Promise<string[]> {
  const entries = (await host.query(list([path, ...above].join('/')))) ?? [];
  const found = new Set<string>();
  for (const { name, kind } of entries) {
    const base = kind === 'file' && !name.includes('~') ? baseOf(name) : null;
    if (base !== null) found.add([...above, base].join('/'));
    if (kind !== 'dir' || above.length === deepest - 1 || !isSegment(name, false)) continue;
    for (const inner of await familiesIn(host, path, [...above, name])) found.add(inner);
  }
  return [...found].sort();
}
