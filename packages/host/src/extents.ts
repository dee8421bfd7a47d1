import type { Range } from './slabs.ts';

/** What a place of a file is: zeros that are not stored, bytes at an address, or bytes whose address says nothing. */
export type Kind = 'zero' | 'data' | 'opaque';

/** Bytes of a file that lie together; `address` is where on the filesystem. All in bytes. */
export interface Extent extends Range {
  address: number;
  kind: Kind;
}

const kinds = ['zero', 'data', 'opaque'] as const;
const columns = 3;

/** Extents in ascending order, 25 bytes each; what no extent covers is a hole. */
export class ExtentTable {
  count = 0;
  #numbers = new Float64Array(64 * columns);
  #kinds = new Uint8Array(64);

  push({ at, length, address, kind }: Extent): void {
    if (this.count === this.#kinds.length) this.#grow();
    this.#numbers.set([at, length, address], this.count * columns);
    this.#kinds[this.count] = kinds.indexOf(kind);
    this.count += 1;
  }

  #grow(): void {
    const [numbers, kinds] = [this.#numbers, this.#kinds];
    this.#numbers = new Float64Array(numbers.length * 2);
    this.#numbers.set(numbers);
    this.#kinds = new Uint8Array(kinds.length * 2);
    this.#kinds.set(kinds);
  }

  at(index: number): Extent {
    const [at = 0, length = 0, address = 0] = this.#numbers.subarray(index * columns, (index + 1) * columns);
    return { at, length, address, kind: kinds[this.#kinds[index] ?? 0] ?? 'zero' };
  }

  /** Whether another look at the same file gave the very same answer. */
  equals(other: ExtentTable): boolean {
    if (this.count !== other.count) return false;
    const used = (table: ExtentTable) => [
      Buffer.from(table.#numbers.buffer, 0, table.count * columns * 8),
      Buffer.from(table.#kinds.buffer, 0, table.count),
    ];
    const [ours, theirs] = [used(this), used(other)];
    return ours.every((bytes, column) => bytes.equals(theirs[column] as Buffer));
  }

  /** Whether some extent goes on, elsewhere on the disk, right where another ends. */
  isSplit(): boolean {
    for (let index = 1; index < this.count; index += 1) {
      const [one, next] = [this.at(index - 1), this.at(index)];
      const moved = one.kind === 'opaque' || next.address !== one.address + one.length;
      if (next.at === one.at + one.length && moved) return true;
    }
    return false;
  }

  /** The map read from front to back: what lies at an offset, and how far that goes. Offsets must not fall. */
  reader(): (at: number) => Place {
    let next = 0;
    let extent = this.at(0);
    return (at) => {
      while (next < this.count && extent.at + extent.length <= at) extent = this.at(++next);
      if (next === this.count) return { end: Number.POSITIVE_INFINITY, kind: 'zero', address: 0 };
      if (at < extent.at) return { end: extent.at, kind: 'zero', address: 0 };
      return { end: extent.at + extent.length, kind: extent.kind, address: extent.address + at - extent.at };
    };
  }
}

/** What lies at an offset up to `end`; `address` is that of the offset. */
export interface Place {
  end: number;
  kind: Kind;
  address: number;
}

/** Whether two places surely hold the same bytes, perhaps differ, or only their content can tell. */
function compared(a: Place, b: Place): 'same' | 'differs' | 'unknown' {
  if (a.kind === 'opaque' && b.kind === 'opaque') return 'unknown';
  if (a.kind !== b.kind) return 'differs';
  return a.kind === 'zero' || a.address === b.address ? 'same' : 'differs';
}

/**
 * Walks the maps of two files that nobody writes, up to `size`, and names what is not surely the same. Files that map
 * the same block at the same time hold the same bytes there; holes and unwritten extents are both zeros.
 */
export function* compareMaps(a: ExtentTable, b: ExtentTable, size: number): Generator<Range & { unknown: boolean }> {
  const [left, right] = [a.reader(), b.reader()];
  for (let at = 0; at < size; ) {
    const [x, y] = [left(at), right(at)];
    const end = Math.min(x.end, y.end, size);
    const verdict = compared(x, y);
    if (verdict !== 'same') yield { at, length: end - at, unknown: verdict === 'unknown' };
    at = end;
  }
}

/** What at least one of two files stores, up to `size`: elsewhere both are zeros. */
export function* stored(a: ExtentTable, b: ExtentTable, size: number): Generator<Range> {
  const [left, right] = [a.reader(), b.reader()];
  for (let at = 0; at < size; ) {
    const [x, y] = [left(at), right(at)];
    const end = Math.min(x.end, y.end, size);
    if (x.kind !== 'zero' || y.kind !== 'zero') yield { at, length: end - at };
    at = end;
  }
}

const down = (at: number, align: number) => at - (at % align);
const up = (at: number, align: number) => down(at + align - 1, align);

/** Ranges by their start. */
export const inOrder = (ranges: readonly Range[]): Range[] => ranges.toSorted((a, b) => a.at - b.at);

/** Ranges, ascending by their start, widened to blocks of `align` and cut at `size`: neither overlapping nor touching. */
export function widen(ranges: Iterable<Range>, align: number, size: number): Range[] {
  const joined: Range[] = [];
  for (const range of ranges) {
    if (range.length <= 0) continue;
    const [at, end] = [down(range.at, align), Math.min(up(range.at + range.length, align), size)];
    const last = joined.at(-1);
    if (end <= at) continue;
    if (last !== undefined && at <= last.at + last.length) last.length = Math.max(last.length, end - last.at);
    else joined.push({ at, length: end - at });
  }
  return joined;
}

/** The whole blocks of `align` inside ranges that the map does not store; the block that `size` cuts counts as whole. */
export function zerosIn(ranges: readonly Range[], map: ExtentTable, { align, size }: { align: number; size: number }) {
  const read = map.reader();
  const zeros: Range[] = [];
  for (const { at: start, length } of ranges)
    for (let at = start, stop = start + length; at < stop; ) {
      const { end, kind } = read(at);
      const [first, last] = [up(at, align), end >= size ? stop : down(Math.min(end, stop), align)];
      if (kind === 'zero' && last > first) zeros.push({ at: first, length: Math.min(last, stop) - first });
      at = Math.min(end, stop);
    }
  return widen(zeros, align, size);
}

/** Bytes that ranges cover. */
export const total = (ranges: readonly Range[]): number => ranges.reduce((sum, { length }) => sum + length, 0);
