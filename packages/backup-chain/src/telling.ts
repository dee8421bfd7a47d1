import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { namesOf } from '@platter/command/records';
import { Failure } from '@platter/host/failure';
import { formatDuration } from '@platter/units/duration';
import { formatSize } from '@platter/units/size';
import { addressName, type Place } from './address.ts';
import { compactInstant } from './layout.ts';
import type { LooseWish } from './loose.ts';
import type { BackupSet, Point, Receipt } from './manifest-kinds.ts';

/** The address of a point, and of a set. */
export const pointAddress = ({ disk, id }: Point): string =>
  addressName({ namespace: disk.namespace, vm: disk.vm, disk: disk.name, ref: id });
export const setAddress = ({ namespace, vm, id }: Pick<BackupSet, 'namespace' | 'vm' | 'id'>): string =>
  addressName({ namespace, vm, disk: null, ref: id });

export const vmAddress = ({ namespace, vm }: Pick<Place, 'namespace' | 'vm'>): string => `${namespace}/${vm}`;

/** How much a point holds: `412 MiB data, 6 MiB zeroed`. */
export function holding({ data, clusterSize }: Point): string {
  const zeroed = data.zeroClusters > 0 ? `, ${formatSize(data.zeroClusters * clusterSize)} zeroed` : '';
  return `${formatSize(data.dataClusters * clusterSize)} data${zeroed}`;
}

/** One line about a point, without its address. */
export function pointLine(point: Point): string {
  const after = point.parent === null ? `(${point.capture.fullReason ?? 'full'})` : `after ${point.parent.id}`;
  return `${point.disk.name}  ${point.type}  seq ${point.sequence}  ${holding(point)}  engine ${point.capture.engine}  ${after}`;
}

/** The addresses a verb was given; `-` reads records of points and sets, or bare addresses. */
export const addresses = (call: Call<unknown>): Promise<string[]> =>
  namesOf(call, ({ metadata }) => (metadata as { name?: string } | undefined)?.name);

/** The loose files a verb was given, oldest first. */
export function looseWish({ words, flags, cwd }: Call<{ 'ignore-backing': boolean }>): LooseWish {
  if (words.length === 0) throw new Failure('usage', 'which files?', { hint: 'the full first, then its increments' });
  return { files: words.map((word) => resolve(cwd, word)), ignoreBacking: flags['ignore-backing'] };
}

interface Restored {
  metadata: { name: string };
  target: string;
  engine: string;
  bytesWritten: number;
  bytesSkipped: number;
  bytesZeroed: number;
  verify: 'none' | 'sample' | 'full';
  seconds: number;
}

const seen = { none: 'not read back', sample: 'a sample read back', full: 'all read back' } as const;

/** One line about a restore. */
export function restoredText({ metadata, target, seconds, ...done }: Restored): string {
  const skipped = done.bytesSkipped > 0 ? `, ${formatSize(done.bytesSkipped)} were there already` : '';
  const took = formatDuration(Math.round(seconds * 1000));
  return `${metadata.name}  to ${target}  ${formatSize(done.bytesWritten)} written${skipped}  ${seen[done.verify]}  in ${took}  engine ${done.engine}`;
}

interface Merged {
  metadata: { name: string };
  from: readonly string[];
  became: string;
  method: string | null;
  bytesWritten: number;
  bytesTrashed: number;
}

/** One line about a merge. */
export function mergedText({ metadata, from, became, method, bytesWritten, bytesTrashed }: Merged): string {
  if (method === null) return `${metadata.name}  ${became}  merged before`;
  const bytes = `${formatSize(bytesWritten)} written, ${formatSize(bytesTrashed)} to trash`;
  return `${metadata.name}  ${became}  took up ${from.length} points  ${bytes}  by ${method}`;
}

const shownFilesystem = ({ type, offset, result }: Receipt['filesystems'][number]): string =>
  `${type}${offset > 0 ? ` at ${formatSize(offset)}` : ''} ${result === 'ok' ? 'clean' : result}`;

const verdictOf = ({ content, equal }: Receipt): string => {
  if (content.found === null) return 'damaged';
  return equal === null ? 'of no known digest' : equal ? 'equal' : 'DIFFERS';
};

const shownBy = (receipt: Receipt): string =>
  [`content ${verdictOf(receipt)}`, ...receipt.filesystems.map(shownFilesystem)].join('  ');

/** One line about a drill, without the point's address. */
export const drilledLine = (receipt: Receipt): string =>
  `${receipt.at}  ${receipt.result}  via ${receipt.via}  ${shownBy(receipt)}`;

/** One line about a drill that was just made. */
export function drilledText(name: string, receipt: Receipt): string {
  const did = `${receipt.via === 'scratch' ? 'restored' : 'read'} ${formatSize(receipt.bytes)}`;
  const took = formatDuration(Math.round(receipt.seconds * 1000));
  return `${name}  ${did} in ${took}  ${shownBy(receipt)}  receipt ${compactInstant(Date.parse(receipt.at))}`;
}
