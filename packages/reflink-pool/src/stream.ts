import { pagedBytes } from '@platter/host/direct';
import type { Piece } from '@platter/host/pour';

const block = 65_536;
const batch = 16 * block;

/** One batch of a stream: all its bytes, and those of them that are not zeros, placed. */
export interface Batch {
  bytes: Uint8Array;
  pieces: Piece[];
}

/**
 * Cuts a stream into batches of a mebibyte; blocks of 64 KiB that are all zeros make no piece. All batches lie in one
 * buffer: each is good until the next is asked for.
 */
export async function* blocksOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Batch> {
  const buffer = pagedBytes(batch);
  let [at, filled] = [0, 0];
  for await (const chunk of stream)
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + batch - filled);
      buffer.set(part, filled);
      filled += part.length;
      from += part.length;
      if (filled < batch) continue;
      yield { bytes: buffer, pieces: [...piecesOf(buffer, at)] };
      [at, filled] = [at + filled, 0];
    }
  const rest = buffer.subarray(0, filled);
  if (filled > 0) yield { bytes: rest, pieces: [...piecesOf(rest, at)] };
}

const zeros = Buffer.alloc(block);

function* piecesOf(bytes: Uint8Array, at: number): Generator<Piece> {
  for (let offset = 0; offset < bytes.length; offset += block) {
    const part = bytes.subarray(offset, offset + block);
    if (zeros.compare(part, 0, part.length, 0, part.length) === 0) continue;
    yield { from: { bytes: part }, at: at + offset, length: part.length, sha256: null };
  }
}
