import { u64, viewOf } from './bits.ts';
import type { Layer } from './open.ts';

const CLUSTER = 65536;
const PER_BLOCK = CLUSTER / 2;

/** Clusters of a file by their numbers, that lie behind one another. */
export interface Stretch {
  first: number;
  count: number;
}

/** A cluster of a source; what lies behind its end is zero. */
export async function clusterAt({ source }: Layer, at: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(CLUSTER);
  bytes.set(await source.read(at, Math.min(CLUSTER, source.size - at)));
  return bytes;
}

/** The refcount table of a canonical file, whole. */
export async function refcountTable({ source, header }: Layer): Promise<Uint8Array> {
  const { at, clusters } = header.refcount;
  const bytes = new Uint8Array(clusters * CLUSTER);
  bytes.set(await source.read(at, Math.min(bytes.length, source.size - at)));
  return bytes;
}

/** Ascending numbers, those that follow each other as one. */
function stretches(clusters: readonly number[]): Stretch[] {
  const found: Stretch[] = [];
  for (const cluster of clusters) {
    const last = found.at(-1);
    if (last !== undefined && last.first + last.count === cluster) last.count += 1;
    else found.push({ first: cluster, count: 1 });
  }
  return found;
}

/** The counted host clusters of a canonical file that nothing refers to, ascending. */
async function* unused(layer: Layer): AsyncGenerator<number, undefined> {
  const table = viewOf(await refcountTable(layer));
  const end = Math.ceil(layer.source.size / CLUSTER);
  for (let first = 0; first < end; first += PER_BLOCK) {
    const at = u64(table, (first / PER_BLOCK) * 8);
    if (at === 0) continue;
    const counts = viewOf(await clusterAt(layer, at));
    const stop = Math.min(PER_BLOCK, end - first);
    for (let n = 0; n < stop; n += 1) if (counts.getUint16(n * 2) === 0) yield first + n;
  }
}

/** Host clusters that may be used again, the lowest first: what the file never used, and what is given back. */
export class Spare {
  readonly #unused: AsyncGenerator<number, undefined>;
  #next: number | undefined;
  #begun = false;
  #given: number[] = [];
  #head = 0;
  readonly #taken: number[] = [];

  constructor(layer: Layer) {
    this.#unused = unused(layer);
  }

  async #advance(): Promise<void> {
    this.#begun = true;
    this.#next = (await this.#unused.next()).value;
  }

  give(cluster: number): void {
    let at = this.#given.length;
    while (at > this.#head && (this.#given[at - 1] as number) > cluster) at -= 1;
    this.#given.splice(at, 0, cluster);
  }

  /** The lowest of all, which is spare no more; null when there is none. */
  async take(): Promise<number | null> {
    if (!this.#begun) await this.#advance();
    const [given, next] = [this.#given[this.#head], this.#next];
    if (given !== undefined && (next === undefined || given < next)) {
      this.#head += 1;
      return given;
    }
    if (next === undefined) return null;
    this.#taken.push(next);
    await this.#advance();
    return next;
  }

  /** What was given back and not taken again. */
  left(): Stretch[] {
    return stretches(this.#given.slice(this.#head));
  }

  /** What was unused and is no more. */
  taken(): Stretch[] {
    return stretches(this.#taken);
  }
}
