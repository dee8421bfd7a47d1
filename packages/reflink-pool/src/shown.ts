import { formatSize } from '@platter/units/size';
import type {
  CommitRecord,
  ExportRecord,
  ImportRecord,
  PoolRecord,
  RemovalRecord,
  RevertRecord,
  RevisionRecord,
  SessionRecord,
  SetRecord,
  VolumeRecord,
} from './records.ts';

const gap = '  ';
const columns = (...parts: (string | null | false | undefined)[]) => parts.filter(Boolean).join(gap);
const counted = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
const took = (ms: number) => `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;

/** What people see of each record. */
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
  const { ref, time, size, twin, side, label, pins, consistency } = record;
  const marks = [twin && 'head', side && 'side', label, pins.length > 0 && `pinned by ${pins.join(', ')}`, consistency];
  return columns(ref, time, formatSize(size), ...marks);
}

export function poolText({ path, fsType, backend, free, total, policy, volumes }: PoolRecord): string {
  const room = `${formatSize(free)} free of ${formatSize(total)}`;
  return columns(path, fsType, `by ${backend}`, room, policy, counted(volumes, 'volume'));
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

export const exportText = ({ id, volume, number, expiresAt, path }: ExportRecord): string =>
  columns(id, `${volume}@${number ?? 'head'}`, path, expiresAt !== null && `until ${expiresAt}`);
