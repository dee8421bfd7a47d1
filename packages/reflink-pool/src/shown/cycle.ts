import { formatSize } from '@platter/units/size';
import type { CommitRecord, ImportRecord, RemovalRecord, RevertRecord, SessionRecord } from '../records/cycle.ts';
import { columns, gap, took } from './columns.ts';

export function sessionText({ volume, outcome, path, method, unclean, ms }: SessionRecord): string {
  const how = {
    none: null,
    prepared: 'prepared ahead',
    sparse: 'empty',
    link: 'by link',
    reflink: 'by reflink',
    copy: 'by copy',
  };
  return columns(volume, outcome, path, how[method], unclean && 'it outlived a restart', method !== 'none' && took(ms));
}

export function commitText({ volume, outcome, savedAs, pruned, ms }: CommitRecord): string {
  const before = outcome === 'saved' ? `as ${volume}@${savedAs}` : `previous state is ${volume}@${savedAs}`;
  const gone = pruned.length > 0 && `pruned ${pruned.map((number) => `@${number}`).join(' ')}`;
  return columns(volume, outcome, savedAs !== null && before, gone, outcome !== 'already' && took(ms));
}

export function revertText({ volume, to, savedAs, outcome }: RevertRecord): string[] {
  const what = to === null ? `${volume}@head` : `${volume}@${to}`;
  if (outcome === 'already') return [columns(volume, `is ${what} already`)];
  const before = savedAs === null ? [] : [`${gap}undo${gap}reflink-pool revert ${volume}@${savedAs}`];
  return [
    `${volume}${gap}is ${what} again${savedAs === null ? '' : `; the state before is ${volume}@${savedAs}`}`,
    ...before,
  ];
}

export function importText({ volume, outcome, size, method, path, token, savedAs }: ImportRecord): string {
  const how =
    method !== null && { reflink: 'by reflink', copy: 'copied', stream: 'from stdin', session: 'as written' }[method];
  const before = savedAs !== null && `previous state is ${volume}@${savedAs}`;
  return columns(
    volume,
    outcome,
    size !== null && formatSize(size),
    how,
    before,
    outcome === 'open' && columns(path, token),
  );
}

export const removalText = ({ ref, outcome }: RemovalRecord): string => columns(ref, outcome);
