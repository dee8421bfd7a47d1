import { formatSize } from '@platter/units/size';
import type { PoolRecord, RevisionRecord, SetRecord, VolumeRecord } from '../records/look.ts';
import { columns, counted, gap } from './columns.ts';

export function volumeText({
  volume,
  volumeKind,
  state,
  size,
  revisions,
  source,
  outdated,
  importing,
  rw,
}: VolumeRecord): string {
  const from = source !== null && `of ${source}${outdated ? ' (outdated)' : ''}`;
  const kind = `${volumeKind}${rw ? '' : ' read-only'}`;
  const length = size === null ? null : formatSize(size);
  const names = volumeKind === 'saved' && counted(revisions, 'revision');
  return columns(volume, kind, state, length, names, from, importing !== null && `import ${importing} open`);
}

export function revisionText(record: RevisionRecord): string {
  const { ref, time, size, twin, side, label, pins, consistency, set, expiresAt } = record;
  const kept = [set !== null && `set ${set}`, pins.length > 0 && `pinned by ${pins.join(', ')}`];
  const marks = [twin && 'head', side && 'side', label, ...kept, consistency];
  return columns(ref, time, formatSize(size), ...marks, expiresAt !== null && `until ${expiresAt}`);
}

export function poolText({ path, fsType, backend, free, total, policy, volumes }: PoolRecord): string {
  const room = `${formatSize(free)} free of ${formatSize(total)}`;
  return columns(path, fsType, `by ${backend}`, room, policy, counted(volumes, 'volume'));
}

/** A volume with its paths, users and revisions below it. */
export function volumeDetails(record: VolumeRecord, revisions: readonly RevisionRecord[]): string[] {
  const lines = [
    ['head', record.path],
    ['work', record.workPath],
    ['used by', record.holders.length > 0 ? record.holders.join(', ') : null],
    ['policy', record.policy],
  ];
  const facts = lines
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${gap}${name?.padEnd(7)}${gap}${value}`);
  return [volumeText(record), ...facts, ...revisions.map((revision) => `${gap}${revisionText(revision)}`)];
}

export function setText({ metadata, createdAt, consistency, members }: SetRecord): string {
  const names = members.map(({ volume, number }) => `${volume}@${number}`).join(gap);
  return columns(metadata.name, createdAt, consistency, names);
}
