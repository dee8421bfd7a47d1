import type { Piece } from '@platter/host/pour';

const block = 65_536;
const batch = 16 * block;

/** One batch of a stream: all its bytes, and those of them that are not zeros, placed. */
export interface Batch {
  bytes: Uint8Array;
  pieces: Piece[];
}

/** Cuts a stream into batches of a mebibyte; blocks of 64 KiB that are all zeros make no piece. */
export async function* blocksOf(stream: AsyncIterable<Uint8Array>, start: number): AsyncGenerator<Batch> {
  let at = start;
  for await (const bytes of batches(stream)) {
    yield { bytes, pieces: [...piecesOf(bytes, at)] };
    at += bytes.length;
  }
}

async function* batches(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let [chunks, length]: [Uint8Array[], number] = [[], 0];
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length < batch) continue;
    const all = Buffer.concat(chunks);
    const whole = length - (length % batch);
    for (let at = 0; at < whole; at += batch) yield all.subarray(at, at + batch);
    [chunks, length] = [[all.subarray(whole)], length - whole];
  }
  if (length > 0) yield Buffer.concat(chunks);
}

const zeros = Buffer.alloc(block);

function* piecesOf(bytes: Uint8Array, at: number): Generator<Piece> {
  for (let offset = 0; offset < bytes.length; offset += block) {
    const part = bytes.subarray(offset, offset + block);
    if (zeros.compare(part, 0, part.length, 0, part.length) === 0) continue;
    yield { from: { bytes: part }, at: at + offset, length: part.length, sha256: null };
  }
}
