import type { Failure } from '@platter/host/failure';
import type { VolumeRecord } from '../records/look.ts';
import { columns, counted } from './columns.ts';

const longestKind = 'snapshot'.length;

/** A row of a table whose names are `width` wide. */
export function adoptedText({ volume, volumeKind, revisions }: VolumeRecord, outcome: string, width: number): string {
  const [name, kind] = [volume.padEnd(width + 1), volumeKind.padEnd(longestKind)];
  return columns(name, outcome, kind, counted(revisions, 'revision'));
}

export function refusedText(name: string, { kind, message, details, hint }: Failure, width: number): string {
  return columns(
    name.padEnd(width + 1),
    kind === 'failed' ? 'failed' : 'refused',
    [details.by ?? message, hint].filter(Boolean).join(': '),
  );
}
