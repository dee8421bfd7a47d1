import { createHash, hash } from 'node:crypto';
import { putU64, viewOf } from './bits.ts';
import type { Guest } from './guest.ts';

/** Bytes of guest content that are hashed at once. */
export const CHUNK = 65536;

const RUN = 32 * CHUNK;

function allZero(numbers: Uint8Array | Int32Array): boolean {
  for (let index = 0; index < numbers.length; index++) if (numbers[index] !== 0) return false;
  return true;
}

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return allZero(bytes);
  const start = (4 - (bytes.byteOffset % 4)) % 4;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, (bytes.length - start) >>> 2);
  return allZero(bytes.subarray(0, start)) && allZero(words) && allZero(bytes.subarray(start + words.length * 4));
}

/**
 * The content digest `platter-content/1`: SHA-256 over the line `platter-content/1 <virtualSize>\n`, then for each
 * chunk that is not all zero, ascending, its index as u64 and its SHA-256 (the last chunk is zero-padded).
 */
export class ContentHash {
  readonly #hash;
  readonly #index = new Uint8Array(8);

  constructor(virtualSize: number) {
    this.#hash = createHash('sha256').update(`platter-content/1 ${virtualSize}\n`);
  }

  /** Adds a chunk that is not all zero; chunks ascend. */
  add(index: number, sha256: Uint8Array): void {
    putU64(viewOf(this.#index), 0, index);
    this.#hash.update(this.#index).update(sha256);
  }

  /** The digest in hex; nothing can be added afterwards. */
  hex(): string {
    return this.#hash.digest('hex');
  }
}

function padded(chunk: Uint8Array): Uint8Array {
  if (chunk.length === CHUNK) return chunk;
  const whole = new Uint8Array(CHUNK);
  whole.set(chunk);
  return whole;
}

function addRun(content: ContentHash, bytes: Uint8Array, first: number): void {
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const chunk = bytes.subarray(at, at + CHUNK);
    if (!isZero(chunk)) content.add(first + at / CHUNK, hash('sha256', padded(chunk), 'buffer'));
  }
}

/** The content digest of a guest; costs what its data costs, not its size. */
export async function contentDigest(guest: Guest): Promise<string> {
  const content = new ContentHash(guest.size);
  let done = 0;
  for await (const { at, length, kind } of guest.extents()) {
    if (kind !== 'data' && kind !== 'compressed') continue;
    const end = Math.min(guest.size, Math.ceil((at + length) / CHUNK) * CHUNK);
    for (done = Math.max(done, Math.floor(at / CHUNK) * CHUNK); done < end; ) {
      const bytes = await guest.read(done, Math.min(RUN, end - done));
      addRun(content, bytes, done / CHUNK);
      done += bytes.length;
    }
  }
  return content.hex();
}

/** The identity of a disk's state: SHA-256("platter-state/1\0", uid, "\0", content digest as bytes), in hex. */
export function stateId(uid: string, contentSha256: string): string {
  const prefix = createHash('sha256').update(`platter-state/1\0${uid}\0`);
  return prefix.update(contentSha256, 'hex').digest('hex');
}
