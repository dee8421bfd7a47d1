import type { ByteSource } from '@platter/qcow2/source';
import { escapeText } from '@platter/qcow2/text';
import { hyphened, type Partition, type Table } from './partition.ts';

/** `recover`: its journal waits to be replayed. */
export type State = 'clean' | 'recover' | 'errors' | 'unknown';

/** A signature; `type` as blkid names it, `label` escaped, `size` in bytes (0: it does not say). */
export interface Signature {
  type: string;
  label: string;
  uuid: string;
  size: number;
  state: State;
}

/** A signature and where it lies in the guest's content. */
export interface Filesystem extends Signature {
  offset: number;
  partition?: number;
}

/** Text of a field up to its first NUL, without the blanks that pad it. */
function text(head: Buffer, at: number, length: number): string {
  const field = head.subarray(at, at + length);
  const end = field.indexOf(0);
  return escapeText(end < 0 ? field : field.subarray(0, end)).trimEnd();
}

const is = (head: Buffer, at: number, magic: string) => head.toString('latin1', at, at + magic.length) === magic;
const uuid = (head: Buffer, at: number) => hyphened(head.toString('hex', at, at + 16));

type Probe = (head: Buffer) => Signature | null;

const ext3Features = { incompat: 0x16, roCompat: 0x7 };

/** ext2, ext3 and ext4 (Linux, Documentation/filesystems/ext4: The Super Block), which begins at 1024. */
const ext: Probe = (head) => {
  const [inodes, logBlock] = [head.readUInt32LE(1024), head.readUInt32LE(1048)];
  const [incompat, roCompat] = [head.readUInt32LE(1120), head.readUInt32LE(1124)];
  const blocks = head.readUInt32LE(1028) + (incompat & 0x80 ? head.readUInt32LE(1360) * 2 ** 32 : 0);
  if (head.readUInt16LE(1080) !== 0xef53 || logBlock > 6 || blocks === 0 || inodes === 0) return null;
  const newer = (incompat & ~ext3Features.incompat) !== 0 || (roCompat & ~ext3Features.roCompat) !== 0;
  const type = newer ? 'ext4' : hasJournal(head) ? 'ext3' : 'ext2';
  const state = head.readUInt16LE(1082) & 2 ? 'errors' : incompat & 4 ? 'recover' : 'clean';
  return { type, label: text(head, 1144, 16), uuid: uuid(head, 1128), size: blocks * 1024 * 2 ** logBlock, state };
};

/** Whether an ext filesystem has a journal: the bit `has_journal` of its compatible features. */
export const hasJournal = (head: Buffer): boolean => (head.readUInt32LE(1116) & 4) !== 0;

/** XFS (xfs_db(8), sb); whether its log is clean only the log says. Incompatible bit 4 asks for a repair. */
const xfs: Probe = (head) => {
  if (!is(head, 0, 'XFSB')) return null;
  const size = head.readUInt32BE(4) * Number(head.readBigUInt64BE(8));
  const state = isV5(head) && head.readUInt32BE(216) & 0x10 ? 'errors' : 'unknown';
  return { type: 'xfs', label: text(head, 108, 12), uuid: uuid(head, 32), size, state };
};

const isV5 = (head: Buffer) => (head.readUInt16BE(100) & 0xf) === 5;

/** Names of XFS features that kernels before 5.10 cannot mount: all but ftype, sparse inodes, finobt, rmap and reflink. */
export function newXfsFeatures(head: Buffer): string[] {
  const bits = (at: number, known: number) => (isV5(head) ? head.readUInt32BE(at) & ~known : 0);
  const [roCompat, incompat] = [bits(212, 0x7), bits(216, 0x3)];
  const named = (field: string, value: number) => (value === 0 ? [] : [`${field} 0x${(value >>> 0).toString(16)}`]);
  return [...named('ro_compat', roCompat), ...named('incompat', incompat)];
}

/** btrfs (btrfs-progs, On-disk format: superblock at 64 KiB); a log root waits to be replayed. */
const btrfs: Probe = (head) => {
  const at = 65_536;
  if (!is(head, at + 64, '_BHRfS_M')) return null;
  const state = head.readBigUInt64LE(at + 96) === 0n ? 'clean' : 'recover';
  const size = Number(head.readBigUInt64LE(at + 112));
  return { type: 'btrfs', label: text(head, at + 299, 256), uuid: uuid(head, at + 32), size, state };
};

/** FAT12, FAT16 and FAT32 (Microsoft FAT specification, boot sector). */
const vfat: Probe = (head) => {
  const wide = is(head, 82, 'FAT32   ');
  const narrow = is(head, 54, 'FAT12   ') || is(head, 54, 'FAT16   ');
  const [sector, cluster] = [head.readUInt16LE(11), head.readUInt8(13)];
  if (!(wide || narrow) || head.readUInt16BE(510) !== 0x55aa || sector < 512 || cluster === 0) return null;
  const at = wide ? 67 : 39;
  const serial = head.readUInt32LE(at).toString(16).padStart(8, '0').toUpperCase();
  const label = text(head, at + 4, 11);
  const size = sector * (head.readUInt16LE(19) || head.readUInt32LE(32));
  const dirty = head.readUInt8(at - 2) & 1;
  const id = `${serial.slice(0, 4)}-${serial.slice(4)}`;
  return { type: 'vfat', label: label === 'NO NAME' ? '' : label, uuid: id, size, state: dirty ? 'unknown' : 'clean' };
};

/** ISO 9660 (ECMA-119, Primary Volume Descriptor at sector 16). */
const iso: Probe = (head) => {
  if (!is(head, 32_769, 'CD001')) return null;
  const size = head.readUInt32LE(32_848) * head.readUInt16LE(32_896);
  return { type: 'iso9660', label: text(head, 32_808, 32), uuid: '', size, state: 'clean' };
};

/** Swap (mkswap(8)): the magic ends the first page, of 4 or 64 KiB. */
const swap: Probe = (head) => {
  if (!is(head, 4086, 'SWAPSPACE2') && !is(head, 65_526, 'SWAPSPACE2')) return null;
  return { type: 'swap', label: text(head, 1052, 16), uuid: uuid(head, 1036), size: 0, state: 'unknown' };
};

/** An LVM physical volume (LVM2, label_header): its label lies in one of the first four sectors. */
const lvm: Probe = (head) => {
  const at = [0, 512, 1024, 1536].find((sector) => is(head, sector, 'LABELONE') && is(head, sector + 24, 'LVM2 001'));
  if (at === undefined) return null;
  const id = text(head, at + 32, 32).replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
  const size = Number(head.readBigUInt64LE(at + 64));
  return { type: 'LVM2_member', label: '', uuid: id, size, state: 'unknown' };
};

/** LUKS 1 and 2 (LUKS On-Disk Format Specification, binary header). */
const luks: Probe = (head) => {
  if (!is(head, 0, 'LUKS\xba\xbe')) return null;
  const label = head.readUInt16BE(6) === 2 ? text(head, 24, 48) : '';
  return { type: 'crypto_LUKS', label, uuid: text(head, 168, 40), size: 0, state: 'unknown' };
};

const probes: readonly Probe[] = [ext, xfs, btrfs, vfat, iso, swap, lvm, luks];

const headBytes = 69_632;

/** The first 68 KiB from `offset`, zero-padded where the content ends. */
export async function headAt(content: ByteSource, offset: number, size = content.size - offset): Promise<Buffer> {
  const head = Buffer.alloc(headBytes);
  head.set(await content.read(offset, Math.min(headBytes, size)));
  return head;
}

/** Everything that claims a head for itself. */
export function signaturesIn(head: Buffer): Signature[] {
  return probes.flatMap((probe) => probe(head) ?? []);
}

/** What lies at byte 0 and at the start of each partition. */
export async function readFilesystems(content: ByteSource, { partitions }: Table): Promise<Filesystem[]> {
  const whole = signaturesIn(await headAt(content, 0)).map((found) => ({ ...found, offset: 0 }));
  const inside = [];
  for (const { index, start, size } of partitions) {
    const found = signaturesIn(await headAt(content, start, size));
    inside.push(...found.map((signature) => ({ ...signature, offset: start, partition: index })));
  }
  return [...whole, ...inside].map((found) => cutOff(found, content.size, partitions));
}

/** A filesystem larger than its place has lost its end. */
function cutOff(found: Filesystem, total: number, partitions: readonly Partition[]): Filesystem {
  const room = partitions.find(({ index }) => index === found.partition)?.size ?? total - found.offset;
  return found.size > room ? { ...found, state: 'errors' } : found;
}
