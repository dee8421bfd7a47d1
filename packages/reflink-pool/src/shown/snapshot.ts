import type { Platter, View } from '@platter/command/call';
import type { SetRecord } from '../records/look.ts';
import type { SnapshotRecord } from '../records/snapshot.ts';
import { columns, gap, took } from './columns.ts';

/** How a revision is called, or the head that has no number yet. */
export const snapshotName = ({ volume, number }: SnapshotRecord): string => `${volume}@${number ?? 'head'}`;

const waited = (ms: number | null) => ms !== null && `paused ${took(ms)}`;

export function snapshotText(record: SnapshotRecord): string {
  const { outcome, consistency, pauseMs } = record;
  return columns(snapshotName(record), outcome, consistency, waited(pauseMs));
}

/** A new set with its members below it; where nothing has changed, what each state is called already. */
export function setViews({ set, records }: { set: SetRecord | null; records: SnapshotRecord[] }): [Platter, View][] {
  const each = records.map((record): [Platter, View] => {
    const view = { name: snapshotName(record) };
    return [record, set === null ? { ...view, text: snapshotText(record) } : view];
  });
  return set === null ? each : [[set, { text: madeText(set) }], ...each];
}

function madeText({ metadata, consistency, members, pauseMs, expiresAt }: SetRecord): string[] {
  const names = members.map(({ volume, number }) => `${volume}@${number}`);
  const first = columns(`set ${metadata.name}`, consistency, waited(pauseMs), expiresAt && `until ${expiresAt}`);
  return [first, `${gap}${names.join(gap)}`];
}
