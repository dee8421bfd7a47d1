import type { Host } from '@platter/host/door';
import { formatSize } from '@platter/units/size';
import { addressName, type Place } from './address.ts';
import { isSetItem, pointItem } from './returning.ts';
import { bytesIn, type ReadableEntry } from './trash-entries.ts';

type Vm = Pick<Place, 'namespace' | 'vm'>;

/** The address of an entry of a VM's trash: `NS/VM@ENTRY`. */
export const entryAddress = ({ namespace, vm }: Vm, ref: string): string =>
  addressName({ namespace, vm, disk: null, ref });

const baseOf = (item: string): string => item.slice(item.lastIndexOf('/') + 1, -'.json'.length);

/** The record of an entry as it lies there; points by disk and id, as far as their manifests are among its items. */
export async function entryRecord(host: Host, vm: Vm, entry: ReadableEntry) {
  const { op, at, reason, items } = entry.value;
  const points = items.flatMap((item) => {
    const disk = pointItem(item);
    return disk === null ? [] : [`${disk}@${baseOf(item).slice(7)}`];
  });
  const sets = items.filter(isSetItem).map(baseOf);
  return {
    apiVersion: 'platter.dev/v1' as const,
    kind: 'TrashEntry' as const,
    metadata: { name: entryAddress(vm, entry.name) },
    ...{ op, at, points, sets, bytes: await bytesIn(host, entry), reason },
  };
}
export type EntryRecord = Awaited<ReturnType<typeof entryRecord>>;

const counted = (count: number, what: string): string => (count === 1 ? `1 ${what}` : `${count} ${what}s`);

/** One line about an entry, and what became of it. */
export function entryText(
  { metadata, points, sets, bytes, reason }: EntryRecord,
  done?: 'restored' | 'purged',
): string {
  const what = [
    ...(sets.length > 0 ? [counted(sets.length, 'set')] : []),
    ...(points.length > 0 ? [counted(points.length, 'point')] : []),
    formatSize(bytes),
  ];
  return [metadata.name, ...(done === undefined ? [] : [done]), what.join(', '), reason].join('  ');
}
