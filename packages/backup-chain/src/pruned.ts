import { formatSize } from '@platter/units/size';
import type { Pruned } from './prune.ts';
import { vmAddress } from './telling.ts';

/** The record of a pruned VM; points by disk and id. */
export function pruneRecord({ facts, plan, bytesTrashed, bytesPurged }: Pruned) {
  const { kept, expired } = plan.expiry;
  const taken = plan.uptakes.map(({ op, disk, points, into }) => ({
    op,
    points: points.map(({ id }) => `${disk}@${id}`),
    reason: `${disk}@${into.id} takes ${points.length === 1 ? 'it' : 'them'} up`,
  }));
  const dropped = plan.dropped.map(({ disk, points }) => ({
    op: 'trash' as const,
    points: points.map(({ id }) => `${disk.name}@${id}`),
    reason: 'no set that is kept needs them',
  }));
  return {
    apiVersion: 'platter.dev/v1' as const,
    kind: 'BackupPrune' as const,
    metadata: { name: vmAddress(facts) },
    sets: kept.length + expired.length,
    kept,
    expired,
    actions: [...taken, ...dropped],
    bytesTrashed,
    bytesPurged,
  };
}

const verbs = { fold: 'folded', merge: 'merged', trash: 'dropped' } as const;

/** One line about a pruned VM: `keep 9 of 12 sets, 3 expired: 1 folded, 2 merged, 8.1 GiB to trash`. */
export function pruneText({
  metadata,
  sets,
  kept,
  expired,
  actions,
  bytesTrashed,
  bytesPurged,
}: ReturnType<typeof pruneRecord>): string {
  const counts = (['fold', 'merge', 'trash'] as const).flatMap((op) => {
    const points = actions.filter((one) => one.op === op).flatMap((one) => one.points);
    return points.length > 0 ? [`${points.length} ${verbs[op]}`] : [];
  });
  const done = [
    ...counts,
    ...(bytesTrashed > 0 ? [`${formatSize(bytesTrashed)} to trash`] : []),
    ...(bytesPurged > 0 ? [`${formatSize(bytesPurged)} purged`] : []),
  ];
  const head = `${metadata.name}  keep ${kept.length} of ${sets} sets, ${expired.length} expired`;
  return done.length > 0 ? `${head}: ${done.join(', ')}` : head;
}
