const TWO32 = 2 ** 32;

/** The unsigned big-endian 64-bit number at `at`; NaN above 2^53-1. */
export function u64(view: DataView, at: number): number {
  const hi = view.getUint32(at);
  return hi > 0x1fffff ? Number.NaN : hi * TWO32 + view.getUint32(at + 4);
}

/** Writes a safe integer as an unsigned big-endian 64-bit number. */
export function putU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / TWO32));
  view.setUint32(at + 4, value % TWO32);
}

const COPIED = 0x80000000;

/** Entry `index` of a table of 64-bit words points to a cluster that nothing else refers to (bit 63). */
export function putOwn(table: DataView, index: number, host: number): void {
  putU64(table, index * 8, host);
  table.setUint32(index * 8, (table.getUint32(index * 8) | COPIED) >>> 0);
}

/** A view of exactly these bytes. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whether a feature field has the bit. */
export const hasBit = (field: bigint, bit: number): boolean => ((field >> BigInt(bit)) & 1n) === 1n;

/** The numbers of the bits that are set, ascending. */
export const bitsOf = (field: bigint): number[] =>
  field === 0n ? [] : Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => hasBit(field, bit));

/** The same bytes as 32-bit words of this machine's order: good to see which are zero, much faster than a view. */
export const wordsOf = (bytes: Uint8Array): Int32Array =>
  bytes.byteOffset % 4 === 0
    ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    : new Int32Array(bytes.slice().buffer);
