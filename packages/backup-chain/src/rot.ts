import type { Slab } from '@platter/host/sip';
import { digestAt, sameDigest } from './digest.ts';
import type { Digests } from './digests.ts';
import { type Finding, finding } from './finding.ts';
import { clusterSize } from './layout.ts';
import { type Link, spans, stackOf } from './stack.ts';

/** The offsets of chunks that are not what their digests say, in what is read of a file. */
export async function* badChunks(slabs: AsyncIterable<Slab>, digests: Digests): AsyncGenerator<number> {
  for await (const { count, at, sha256 } of slabs) {
    const first = (at[0] as number) / clusterSize;
    const expected = await digests.read(first, count);
    for (let n = 0; n < count; n += 1)
      if (!sameDigest(digestAt(sha256, n), digestAt(expected, n))) yield (first + n) * clusterSize;
  }
}

/** The finding of a chunk that is not what its digest says. */
export const rotten = (name: string, at: number): Finding =>
  finding('corrupt', ['digest', name, 'its content is not what its digest says'], { at });

/** Where in the guest the chunks at these offsets of a file lie; tables are not there. */
export async function guestOffsets(link: Link, offsets: readonly number[]): Promise<Map<number, number>> {
  const stack = stackOf([link]);
  const found = new Map<number, number>();
  for await (const { kind, at, host, length } of spans(stack, { at: 0, length: stack.virtualSize }))
    for (const offset of kind === 'data' ? offsets : [])
      if (offset >= host && offset < host + length) found.set(offset, at + offset - host);
  return found;
}
