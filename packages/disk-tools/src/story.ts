import type { Platter, View } from '@platter/command/call';
import { majorMinor } from '@platter/host/device';
import { escapeText } from '@platter/qcow2/text';
import { formatSize } from '@platter/units/size';
import { virtualSize } from './disk.ts';
import type { Filesystem } from './filesystem.ts';
import type { Disk } from './found.ts';
import type { Disk as DiskRecord } from './records.ts';
import { explained } from './verdict.ts';

/** What a verb adds to the facts of a disk. */
export interface Added {
  action: DiskRecord['action'];
  path: string;
  warnings?: string[];
  contentSha256?: string;
}

/** The record of a disk. */
export function recordOf(disk: Disk, { action, path, warnings = [], contentSha256 }: Added): DiskRecord & Platter {
  const { header, format, file, fileSize, content, findings, census } = disk;
  const known = header === undefined ? format === 'raw' : !Number.isNaN(header.size);
  return {
    apiVersion: 'platter.dev/v1',
    kind: 'Disk',
    action,
    changed: action === 'created',
    path,
    format,
    ...(known ? { virtualSize: virtualSize(disk) } : {}),
    fileSize,
    allocatedSize: file.allocated,
    device: majorMinor(file.dev),
    inode: String(file.ino),
    layout: content?.layout ?? 'none',
    partitions: content?.partitions ?? [],
    filesystems: content?.filesystems ?? [],
    ...(header === undefined ? {} : { header: shownHeader(header) }),
    references: referencesOf(disk),
    findings,
    ...(census === undefined ? {} : { census: totals(census) }),
    ...(contentSha256 === undefined ? {} : { contentSha256 }),
    warnings,
  };
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

/** A header without its tables; feature words in hexadecimal, for JSON has no such numbers, and none for what is too large. */
function shownHeader(header: NonNullable<Disk['header']>): Record<string, unknown> {
  const { extensions, featureNames, extensionsEnd, fileSize, incompatible, compatible, autoclear, ...rest } = header;
  const features = { incompatible: hex(incompatible), compatible: hex(compatible), autoclear: hex(autoclear) };
  return JSON.parse(JSON.stringify({ ...rest, ...features }, (_, value) => (Number.isNaN(value) ? undefined : value)));
}

function totals({ findings, ...census }: NonNullable<Disk['census']>): Record<string, number> {
  return census;
}

/** Everything in the image that names another file or URL; already escaped. */
function referencesOf({ header }: Disk): DiskRecord['references'] {
  const references: DiskRecord['references'] = [];
  if (header?.backing) references.push({ kind: 'backing', text: escapeText(header.backing.text) });
  if (header?.dataFile !== undefined) references.push({ kind: 'data-file', text: escapeText(header.dataFile) });
  return references;
}

const named = ({ type, label, uuid }: Filesystem | DiskRecord['filesystems'][number]) =>
  `${type} "${label}"${uuid === '' ? '' : ` ${uuid.length > 9 ? `${uuid.slice(0, 8)}-…` : uuid}`}`;

/** One line: what was done, and what the disk is. */
export function line(said: string, record: DiskRecord, end: string): string {
  const size = record.virtualSize === undefined ? '' : ` ${formatSize(record.virtualSize)}`;
  const holds = record.filesystems.map(named).join(', ');
  const parts = [`${record.action.padEnd(7)} ${said}`, `${record.format}${size}`, holds, end];
  return parts.filter((part) => part !== '').join('  ');
}

/** How a record looks: the line, and its path as name. */
export const view = (said: string, record: DiskRecord, end: string): View => ({
  text: line(said, record, end),
  name: record.path,
});

/** Everything `inspect` knows, one fact per line. */
export function details(said: string, record: DiskRecord): string[] {
  const { format, fileSize, allocatedSize, layout, census } = record;
  return [
    `${said}  ${format}${record.virtualSize === undefined ? '' : ` ${formatSize(record.virtualSize)}`}`,
    `  file        ${formatSize(fileSize)}, ${formatSize(allocatedSize)} on disk`,
    ...(layout === 'none' ? [] : [`  layout      ${layout}`]),
    ...record.partitions.map(
      ({ index, type, start, size }) => `  partition   ${index}  ${type}  ${formatSize(size)} at ${formatSize(start)}`,
    ),
    ...record.filesystems.map(
      (one) =>
        `  filesystem  ${one.type} "${one.label}" ${one.uuid}  ${formatSize(one.size)} at ${formatSize(one.offset)}  ${one.state}`,
    ),
    ...record.references.map(({ kind, text }) => `  refers to   ${kind} "${text}"`),
    ...(census === undefined ? [] : [`  holds       ${held(census)}`]),
    ...record.findings.map((finding) => `  ${finding.verdict.padEnd(10)}  ${explained(finding)}`),
    ...record.warnings.map((text) => `  note        ${text}`),
  ];
}

function held(census: Record<string, number>): string {
  const kinds = ['dataBytes', 'compressedBytes', 'zeroBytes', 'absentBytes'];
  return kinds.map((kind) => `${formatSize(census[kind] ?? 0)} ${kind.replace('Bytes', '')}`).join(', ');
}
