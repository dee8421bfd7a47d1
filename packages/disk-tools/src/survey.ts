import type { Host, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { hold, lstat, realpath, stat } from '@platter/host/looks';
import { type Census, census } from '@platter/qcow2/census';
import { type Finding, Refused } from '@platter/qcow2/finding';
import { type Guest, guest } from '@platter/qcow2/guest';
import { type Header, parseHeader } from '@platter/qcow2/header';
import { judge } from '@platter/qcow2/judge';
import type { ByteSource } from '@platter/qcow2/source';
import { type Filesystem, readFilesystems } from './filesystem.ts';
import { type Partition, readTable } from './partition.ts';
import { type Format, recognise } from './sniff.ts';

/** What lies at a path, as far as it can be told without changing anything. */
export type Found =
  | { kind: 'absent' }
  | { kind: 'thing'; what: string }
  | { kind: 'named'; what: string; way: string }
  | { kind: 'unknown' }
  | Disk;

/** A disk image. `content` is null where its rules forbid to read it, or nobody here can. */
export interface Disk {
  kind: 'disk';
  format: Format;
  file: Stat;
  /** Bytes of the file or device. */
  fileSize: number;
  header?: Header;
  findings: Finding[];
  census?: Census;
  content: Content | null;
  /** Who keeps it in use, in words. */
  holder: string | null;
}

/** What a guest would see. */
export interface Content {
  layout: 'whole' | 'mbr' | 'gpt' | 'none';
  partitions: Partition[];
  filesystems: Filesystem[];
  /** Whether its first and last MiB are all zero. */
  blank: boolean;
}

export interface Question {
  path: string;
  /** Somebody said that it is raw: then it may look like nothing. */
  raw: boolean;
  /** Block devices are taken too. */
  devices?: boolean;
  /** Walks the image's tables. */
  census: boolean;
  holder(host: Host, path: string, file: Stat): Promise<string | null>;
}

/** A found disk while it is open. */
export interface Opened {
  held: Held;
  /** The guest's content; null where it may not be read. */
  guest: Guest | null;
}

/** Looks at a path and hands what it is, open for as long as `use` runs. */
export async function surveyed<T>(
  host: Host,
  question: Question,
  use: (found: Found, opened: Opened | null) => Promise<T> | T,
): Promise<T> {
  const file = await host.query(lstat(question.path));
  if (file === null) return use({ kind: 'absent' }, null);
  const path = await host.query(realpath(question.path));
  const target = path === null ? null : await host.query(stat(path));
  if (path === null || target === null) return use({ kind: 'thing', what: 'a symbolic link to nothing' }, null);
  const what = things[target.kind];
  if (what !== undefined && !(question.devices && target.kind === 'block')) return use({ kind: 'thing', what }, null);
  const held = await host.query(hold(path));
  try {
    if (held.ino !== target.ino || held.dev !== target.dev)
      throw new Failure('busy', `${question.path} was replaced while it was looked at`, { hint: 'try again' });
    const { found, guest } = await examine(host, { ...question, path }, { held, file: target });
    return await use(found, { held, guest });
  } finally {
    held.close();
  }
}

const things: Partial<Record<Stat['kind'], string>> = {
  dir: 'a directory',
  block: 'a block device',
  char: 'a character device',
  fifo: 'a FIFO',
  socket: 'a socket',
};

interface Examined {
  found: Found;
  guest: Guest | null;
}

/** The kernel takes its time to list its locks: that runs beside the reading of the header. */
async function examine(host: Host, question: Question, { held, file }: { held: Held; file: Stat }): Promise<Examined> {
  const bytes = source(held);
  const recognised = await recognise(bytes);
  if (recognised.kind === 'named') return { found: recognised, guest: null };
  if (recognised.kind === 'unknown' && !question.raw) return { found: recognised, guest: null };
  const asked = question.holder(host, question.path, file);
  const format = recognised.kind === 'unknown' ? 'raw' : recognised.format;
  const [holder, header] = await Promise.all([asked, format === 'qcow2' ? judged(bytes) : null]);
  const facts = { file, fileSize: bytes.size, holder };
  if (format === 'raw') return rawDisk(bytes, facts);
  if (header !== null) return qcow2Disk(bytes, { ...header, ...facts }, question.census && holder === null);
  return { found: { kind: 'disk', format, findings: [], content: null, ...facts }, guest: null };
}

async function judged(bytes: ByteSource): Promise<{ header: Header; findings: Finding[] }> {
  const header = await parseHeader(bytes);
  return { header, findings: judge(header, 'attach') };
}

type FileFacts = Pick<Disk, 'file' | 'fileSize' | 'holder'>;

async function rawDisk(bytes: ByteSource, facts: FileFacts): Promise<Examined> {
  const whole = { at: 0, length: bytes.size, kind: 'data' as const, host: 0, hostLength: bytes.size };
  const guest: Guest = {
    ...bytes,
    async *extents() {
      yield whole;
    },
  };
  const found: Disk = { kind: 'disk', format: 'raw', findings: [], content: await readContent(bytes), ...facts };
  return { found, guest };
}

type Judged = FileFacts & { header: Header; findings: Finding[] };

/** The tables are walked only where the header may be believed; the content is read only where both may. */
async function qcow2Disk(bytes: ByteSource, judged: Judged, wanted: boolean): Promise<Examined> {
  const disk = { kind: 'disk' as const, format: 'qcow2' as const, ...judged };
  if (judged.findings.some(stands)) return { found: { ...disk, content: null }, guest: null };
  const counted = wanted ? await census(bytes, judged.header) : undefined;
  const findings = [...judged.findings, ...(counted?.findings ?? [])];
  const known = { ...disk, findings, ...(counted === undefined ? {} : { census: counted }) };
  if (findings.some(stands)) return { found: { ...known, content: null }, guest: null };
  return readGuest(bytes, known);
}

/** A finding that forbids to read on. */
export const stands = ({ verdict }: Finding): boolean => verdict !== 'warn';

async function readGuest(bytes: ByteSource, disk: Omit<Disk, 'content'>): Promise<Examined> {
  try {
    const opened = guest(bytes, disk.header as Header, 'attach');
    return { found: { ...disk, content: await readContent(opened) }, guest: opened };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { found: { ...disk, findings: [...disk.findings, ...error.findings], content: null }, guest: null };
  }
}

const edge = 1024 ** 2;

async function readContent(bytes: ByteSource): Promise<Content> {
  if (bytes.size === 0) return { layout: 'none', partitions: [], filesystems: [], blank: true };
  const table = await readTable(bytes);
  const filesystems = await readFilesystems(bytes, table);
  const layout = table.kind === 'none' && filesystems.length > 0 ? 'whole' : table.kind;
  return { layout, partitions: table.partitions, filesystems, blank: filesystems.length === 0 && (await blank(bytes)) };
}

async function blank(bytes: ByteSource): Promise<boolean> {
  const length = Math.min(edge, bytes.size);
  const ends = [await bytes.read(0, length), await bytes.read(bytes.size - length, length)];
  return ends.every((end) => end.every((byte) => byte === 0));
}
