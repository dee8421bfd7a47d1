import type { Entry } from '@platter/host/door';

/** Sorts listings out by a part of each name; a listing that comes again is not gone through again. */
export function grouping(part: (name: string) => string): (entries: readonly Entry[], key: string) => readonly Entry[] {
  const known = new WeakMap<readonly Entry[], Map<string, Entry[]>>();
  return (entries, key) => {
    const groups = known.get(entries) ?? Map.groupBy(entries, ({ name }) => part(name));
    known.set(entries, groups);
    return groups.get(key) ?? [];
  };
}
