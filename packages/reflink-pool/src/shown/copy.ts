import { formatSize } from '@platter/units/size';
import type { CloneRecord, ExportRecord, ResizeRecord } from '../records/copy.ts';
import { columns, gap, took } from './columns.ts';

const ways = { link: null, reflink: 'by reflink', copy: 'copied' };

export const cloneText = ({ volume, from, method, ms }: CloneRecord): string =>
  columns(volume, `begins as ${from}`, ways[method] ?? 'by link', took(ms));

export function resizeText({ volume, from, to, savedAs, loops }: ResizeRecord): string[] {
  const before = savedAs !== null && `previous state is ${volume}@${savedAs}`;
  const size = from === to ? `is ${formatSize(to)} already` : `${formatSize(from)} -> ${formatSize(to)}`;
  const served = loops.map(
    ({ name, refreshed }) => `${gap}${name}${gap}${refreshed ? 'shows it' : 'does not show it yet'}`,
  );
  return [columns(volume, size, before), ...served];
}

export function exportText({ id, volume, number, expiresAt, path, outcome, method, size }: ExportRecord): string {
  const what = number === null ? volume : `${volume}@${number}`;
  if (outcome === 'ended') return columns(id, what, volume === null ? 'is not open' : 'ended');
  const how = method !== null && ways[method];
  if (outcome === 'written') return columns(what, 'written to', path, size !== null && formatSize(size), how);
  return columns(id, what, path, how, expiresAt !== null && `until ${expiresAt}`);
}
