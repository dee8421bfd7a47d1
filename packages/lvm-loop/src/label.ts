import { crc32 } from 'node:zlib';

/** What a PV label says: the UUID of the PV, none at all, or one whose checksum is wrong. */
export type Label = { uuid: string } | 'absent' | 'bad';

const sector = 512;
/** A label lies in one of the first four sectors. */
export const labelBytes = 4 * sector;

const initial = 0xf597a6cf;

/** LVM's checksum: CRC-32 from its own initial value, without the final inversion (lib/misc/crc.c). */
const checksum = (bytes: Uint8Array): number => (crc32(bytes, (initial ^ 0xffffffff) >>> 0) ^ 0xffffffff) >>> 0;

const ascii = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** 32 characters as LVM shows a UUID: 6-4-4-4-4-4-6. */
export const dashed = (id: string): string =>
  id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');

/**
 * Reads the PV label in the first 2048 bytes of a device (lib/format_text/layout.h, struct label_header): `LABELONE`,
 * u64 sector, u32 crc over bytes 20..512, u32 offset of the PV header, type `LVM2 001`.
 */
export function parseLabel(head: Uint8Array): Label {
  for (let at = 0; at + sector <= Math.min(head.length, labelBytes); at += sector) {
    const bytes = head.subarray(at, at + sector);
    if (ascii(bytes.subarray(0, 8)) === 'LABELONE') return labelIn(bytes, at / sector);
  }
  return 'absent';
}

function labelIn(bytes: Uint8Array, index: number): Label {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (ascii(bytes.subarray(24, 32)) !== 'LVM2 001') return 'absent';
  if (view.getUint32(16, true) !== checksum(bytes.subarray(20))) return 'bad';
  if (view.getBigUint64(8, true) !== BigInt(index)) return 'bad';
  const offset = view.getUint32(20, true);
  const id = ascii(bytes.subarray(offset, offset + 32));
  return /^[0-9A-Za-z]{32}$/.test(id) ? { uuid: dashed(id) } : 'bad';
}
