import type { ByteSource } from '@platter/qcow2/source';

/** One partition; `type` is the MBR's byte (`0x83`) or the GPT's GUID; `start` and `size` in bytes. */
export interface Partition {
  index: number;
  type: string;
  start: number;
  size: number;
}

/** A table and its partitions; `none` also where a filesystem begins at byte 0. */
export interface Table {
  kind: 'mbr' | 'gpt' | 'none';
  partitions: Partition[];
}

const sector = 512;
const none: Table = { kind: 'none', partitions: [] };

/** Where the one partition of a disk that we make begins, in bytes. */
export const partitionStart = 1024 ** 2;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The partition table of a disk: a GPT with valid checksums, else an MBR with sane entries, else none. */
export async function readTable(source: ByteSource): Promise<Table> {
  if (source.size < 2 * sector) return none;
  const gpt = (await readGpt(source, 512)) ?? (await readGpt(source, 4096));
  return gpt ?? readMbr(await source.read(0, sector), source.size);
}

/** MBR: four entries of 16 bytes at 446; sane when active or not, in order of nothing but inside the disk and apart. */
function readMbr(bytes: Uint8Array, size: number): Table {
  const view = viewOf(bytes);
  if (view.getUint16(510) !== 0x55aa) return none;
  const partitions: Partition[] = [];
  for (let index = 0; index < 4; index += 1) {
    const at = 446 + index * 16;
    const type = view.getUint8(at + 4);
    if (type === 0) continue;
    const [start, length] = [view.getUint32(at + 8, true) * sector, view.getUint32(at + 12, true) * sector];
    const sane = (view.getUint8(at) & 0x7f) === 0 && start > 0 && length > 0 && start + length <= size;
    if (!sane) return none;
    partitions.push({ index: index + 1, type: `0x${type.toString(16).padStart(2, '0')}`, start, size: length });
  }
  return partitions.length > 0 && apart(partitions) ? { kind: 'mbr', partitions } : none;
}

const apart = (partitions: readonly Partition[]) =>
  partitions.every((a) =>
    partitions.every((b) => a === b || a.start + a.size <= b.start || b.start + b.size <= a.start),
  );

const maxEntries = 1024;

/** GPT in its first place for sectors of `unit` bytes (UEFI specification, GPT Header); null when a checksum is wrong. */
async function readGpt(source: ByteSource, unit: number): Promise<Table | null> {
  if (source.size < 3 * unit) return null;
  const bytes = await source.read(unit, unit);
  if (Buffer.from(bytes.subarray(0, 8)).toString('latin1') !== 'EFI PART') return null;
  const { crc32 } = await import('node:zlib');
  const header = gptHeader(bytes, crc32);
  if (header === null) return null;
  const { at, count, entry, crc } = header;
  if (count > maxEntries || entry < 128 || entry > 4096 || at * unit + count * entry > source.size) return null;
  const entries = await source.read(at * unit, count * entry);
  if (crc32(entries) !== crc) return null;
  return { kind: 'gpt', partitions: gptEntries(entries, { entry, unit, size: source.size }) };
}

function gptHeader(bytes: Uint8Array, crc32: (bytes: Uint8Array) => number) {
  const view = viewOf(bytes);
  const length = view.getUint32(12, true);
  if (length < 92 || length > bytes.length) return null;
  const blank = bytes.slice(0, length).fill(0, 16, 20);
  if (crc32(blank) !== view.getUint32(16, true)) return null;
  const at = Number(view.getBigUint64(72, true));
  return { at, count: view.getUint32(80, true), entry: view.getUint32(84, true), crc: view.getUint32(88, true) };
}

function gptEntries(bytes: Uint8Array, { entry, unit, size }: { entry: number; unit: number; size: number }) {
  const view = viewOf(bytes);
  const partitions: Partition[] = [];
  for (let at = 0; at + entry <= bytes.length; at += entry) {
    if (bytes.subarray(at, at + 16).every((byte) => byte === 0)) continue;
    const start = Number(view.getBigUint64(at + 32, true)) * unit;
    const length = (Number(view.getBigUint64(at + 40, true)) + 1) * unit - start;
    if (start > 0 && length > 0 && start + length <= size)
      partitions.push({ index: at / entry + 1, type: guid(bytes.subarray(at, at + 16)), start, size: length });
  }
  return partitions;
}

/** A GUID as UEFI stores it: its first three fields are little-endian. */
function guid(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return hyphened(Buffer.from(order.map((index) => bytes[index] ?? 0)).toString('hex')).toUpperCase();
}

/** 32 hex digits in the groups of a UUID. */
export const hyphened = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/**
 * The first sector of a disk of `size` bytes (below 2 TiB) with one Linux partition from 1 MiB to its end; `signature`
 * is 4 bytes. Cylinder, head and sector are out of range on purpose, so that only the LBA counts.
 */
export function mbrOf(size: number, signature: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(sector);
  bytes.set(signature, 440);
  bytes.set([0, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff], 446);
  viewOf(bytes).setUint32(454, partitionStart / sector, true);
  viewOf(bytes).setUint32(458, (size - partitionStart) / sector, true);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}
