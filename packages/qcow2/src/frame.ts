import { viewOf } from './bits.ts';

const MAGIC = 0xfd2fb528;
const RAW_OR_COMPRESSED = [1, 0, 1];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_BYTES = [0, 1, 2, 4];

/** Bytes of a frame before its first block (RFC 8878, 3.1.1.1). */
function headerLength(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const contentSize = sizeFlag === 0 && single ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] as number);
  return 5 + (single ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] as number) + contentSize;
}

/**
 * The exact length of the zstd frame that `bytes` begin with; null when it is none, or cut off.
 * A qcow2 cluster is padded to sectors, and decoders misread what follows a frame (RFC 8878, 3.1.1).
 */
export function frameLength(bytes: Uint8Array): number | null {
  const view = viewOf(bytes);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) return null;
  const descriptor = view.getUint8(4);
  let at = headerLength(descriptor);
  for (let last = false; !last; ) {
    if (at + 3 > bytes.length) return null;
    const block = view.getUint16(at, true) + view.getUint8(at + 2) * 65536;
    const stored = RAW_OR_COMPRESSED[(block >>> 1) & 3];
    if (stored === undefined) return null;
    at += 3 + (stored === 1 ? block >>> 3 : 1);
    last = (block & 1) === 1;
  }
  const end = at + ((descriptor & 4) !== 0 ? 4 : 0);
  return end <= bytes.length ? end : null;
}
