import { formatSize } from '@platter/units/size';
import type { ExportRecord } from '../records/copy.ts';
import { columns } from './columns.ts';

const ways = { link: null, reflink: 'by reflink', copy: 'copied' };

export function exportText({ id, volume, number, expiresAt, path, outcome, method, size }: ExportRecord): string {
  const what = number === null ? volume : `${volume}@${number}`;
  if (outcome === 'ended') return columns(id, what, volume === null ? 'is not open' : 'ended');
  const how = method !== null && ways[method];
  if (outcome === 'written') return columns(what, 'written to', path, size !== null && formatSize(size), how);
  return columns(id, what, path, how, expiresAt !== null && `until ${expiresAt}`);
}
