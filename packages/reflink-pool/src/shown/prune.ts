import { formatSize } from '@platter/units/size';
import type { PruneRecord, PruneSummaryRecord } from '../records/space.ts';
import { columns, gap } from './columns.ts';

/** Where the size ends that comes free. */
const width = 24;

export function pruneText({ volume, number, action, reason, time, reclaimable }: PruneRecord): string {
  const size = reclaimable === null ? '' : formatSize(reclaimable);
  const middle = `${reason.padEnd(Math.max(width - size.length, reason.length + gap.length))}${size}`;
  return `${columns(`${volume}@${number}`, action.padEnd('remove'.length), middle)} ${time}`;
}

/** What a prune came to, or would. */
export function pruneSummaryText(record: PruneSummaryRecord, how: 'explained' | 'dry' | 'done'): string {
  const { removed, kept, freed, freeTarget, reached, skipped } = record;
  const went = `${removed} of ${removed + kept} ${how === 'done' ? 'gone' : 'would go'}, ${formatSize(freed)} freed`;
  const short = freeTarget !== null && !reached && `${formatSize(freeTarget)} of free space not reached`;
  const left = skipped.length > 0 && `skipped ${skipped.join(', ')}`;
  return [went, short, left, how === 'explained' && 'nothing was changed (--explain)'].filter(Boolean).join('; ');
}
