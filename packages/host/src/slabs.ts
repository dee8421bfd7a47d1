import { clusterBytes } from './direct.ts';

/** Bytes of a file or device. */
export interface Range {
  at: number;
  length: number;
}

const down = (at: number) => Math.floor(at / clusterBytes) * clusterBytes;
const up = (at: number) => Math.ceil(at / clusterBytes) * clusterBytes;

/** Ascending ranges widened to whole clusters of a file of `size` bytes, no cluster twice. */
function* widened(ranges: Iterable<Range>, size: number): Generator<Range> {
  let free = 0;
  for (const { at, length } of ranges) {
    const start = Math.max(down(at), free);
    const end = Math.min(up(at + length), size);
    if (end <= start) continue;
    yield { at: start, length: end - start };
    free = up(end);
  }
}

/** The extents to read into one slab after another; every extent starts on a cluster of the slab. */
export function* slabsOf(ranges: Iterable<Range>, size: number, slab: number): Generator<Range[]> {
  let extents: Range[] = [];
  let room = slab;
  for (const range of widened(ranges, size)) {
    for (let { at, length } = range; length > 0; ) {
      const part = Math.min(length, room);
      extents.push({ at, length: part });
      at += part;
      length -= part;
      room -= up(part);
      if (room > 0) continue;
      yield extents;
      extents = [];
      room = slab;
    }
  }
  if (extents.length > 0) yield extents;
}
