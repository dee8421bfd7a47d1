import type { Mapping } from '@platter/host/tools/filefrag';

/** Where one image lies on the filesystem: 16 bytes for each of its mappings. */
export class ImageMap {
  count = 0;
  /** Bytes that are mapped, unwritten ones included. */
  mapped = 0;
  /** Bytes that no other file maps. */
  alone = 0;
  /** Whether some mappings do not say where their bytes are. */
  opaque = false;
  /** Pairs of first and last-but-one address; a shared one has its sign turned. */
  #ends = new Float64Array(128);

  push({ address, length, kind, shared }: Mapping): void {
    if (this.count * 2 === this.#ends.length) this.#grow();
    this.#ends.set([address, shared ? -(address + length) : address + length], this.count * 2);
    this.count += 1;
    this.mapped += length;
    if (!shared) this.alone += length;
    if (kind === 'opaque') this.opaque = true;
  }

  #grow(): void {
    const ends = this.#ends;
    this.#ends = new Float64Array(ends.length * 2);
    this.#ends.set(ends);
  }

  /** The places it lies at, in the order of the file; what is inline lies nowhere. */
  each(see: (from: number, to: number, shared: boolean) => void): void {
    for (let at = 0; at < this.count * 2; at += 2) {
      const [from, to] = [this.#ends[at] ?? 0, this.#ends[at + 1] ?? 0];
      if (from > 0) see(from, Math.abs(to), to < 0);
    }
  }
}

/** What images take together, and what would be free without some of them. In bytes. */
export interface Together {
  /** The union of all their places. */
  referenced: number;
  /** What only those that go map; what just one of them maps and yet is shared, something else maps, too. */
  freed: number;
}

/** Events of a sweep over the addresses: where a mapping begins or ends, and whose it is. */
const code = { stays: 0, goes: 2, goesShared: 4 } as const;
const codes = 8;

function events(stays: readonly ImageMap[], goes: readonly ImageMap[]): Float64Array {
  const count = [...stays, ...goes].reduce((sum, map) => sum + map.count, 0);
  const all = new Float64Array(count * 2);
  let next = 0;
  const add = (kind: (shared: boolean) => number) => (from: number, to: number, shared: boolean) => {
    all[next++] = from * codes + kind(shared);
    all[next++] = to * codes + kind(shared) + 1;
  };
  for (const map of stays) map.each(add(() => code.stays));
  for (const map of goes) map.each(add((shared) => (shared ? code.goesShared : code.goes)));
  return all.subarray(0, next).sort();
}

/** Walks the places of all images once, in the order of their addresses. Another 16 bytes for each mapping meanwhile. */
export function together(stays: readonly ImageMap[], goes: readonly ImageMap[]): Together {
  const open = [0, 0, 0];
  const sum = { referenced: 0, freed: 0 };
  let before = 0;
  for (const event of events(stays, goes)) {
    const [place, what] = [Math.floor(event / codes), event % codes];
    const [staying = 0, alone = 0, shared = 0] = open;
    if (staying + alone + shared > 0) sum.referenced += place - before;
    if (staying === 0 && alone + shared > 0 && !(alone === 0 && shared === 1)) sum.freed += place - before;
    open[what >> 1] = (open[what >> 1] ?? 0) + (what % 2 === 0 ? 1 : -1);
    before = place;
  }
  return sum;
}
