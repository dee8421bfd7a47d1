import { putOwn, putU64, u64, viewOf } from './bits.ts';
import { hostOf } from './entries.ts';
import type { Layer } from './open.ts';
import { recounted, repointed } from './patched.ts';
import { clusterAt, refcountTable, Spare } from './spare.ts';
import type { Block } from './writer.ts';

const CLUSTER = 65536;
const PER_TABLE = CLUSTER / 8;
const PER_BLOCK = CLUSTER / 2;

/** What a patch comes to. */
export interface Patched {
  /** Tables and counts, to be written in any order. */
  blocks: AsyncIterable<Block>;
  /** Bytes of the file that nothing refers to any more; they may be punched. */
  freed: { at: number; length: number }[];
  /** Bytes of the file, a multiple of 64 KiB. */
  size: number;
  /** How many more clusters of data and of explicit zeros there are than before. */
  dataClusters: number;
  zeroClusters: number;
}

interface Window {
  index: number;
  table: Uint8Array;
  changed: boolean;
}

/**
 * Changes which clusters an own clone of a canonical full holds: says where the bytes of a cluster belong, and gives
 * the tables that have to be written. Host clusters that are free are used again, the lowest first. Clusters of 64 KiB
 * are given in ascending order, else it throws `RangeError`. Reads the clone as it was; performs no writing.
 */
export class Patch {
  readonly #clone: Layer;
  readonly #l1: Float64Array;
  readonly #spare: Spare;
  readonly #oldEnd: number;
  #end: number;
  #next = 0;
  #window: Window | null = null;
  readonly #repointed = new Set<number>();
  #ready: Block[] = [];
  #data = 0;
  #zero = 0;

  constructor(clone: Layer) {
    this.#clone = clone;
    this.#l1 = Float64Array.from(clone.l1);
    this.#spare = new Spare(clone);
    this.#oldEnd = Math.ceil(clone.source.size / CLUSTER);
    this.#end = this.#oldEnd;
  }

  #advance(cluster: number, count: number): void {
    const sound = Number.isSafeInteger(cluster) && count > 0 && cluster >= this.#next;
    const all = Math.ceil(this.#clone.header.size / CLUSTER);
    if (!sound || cluster + count > all)
      throw new RangeError(`clusters ${cluster}+${count} do not follow ${this.#next} within ${all}`);
    this.#next = cluster + count;
  }

  async #claim(): Promise<number> {
    const spare = await this.#spare.take();
    if (spare !== null) return spare * CLUSTER;
    this.#end += 1;
    return (this.#end - 1) * CLUSTER;
  }

  #repoint(index: number, host: number): void {
    this.#l1[index] = host;
    this.#repointed.add(index);
  }

  /** Settles the window that is open: an empty table goes. */
  #leave(): void {
    const window = this.#window;
    this.#window = null;
    if (!window?.changed) return;
    const at = this.#l1[window.index] as number;
    if (window.table.some((byte) => byte !== 0)) this.#ready.push({ at, bytes: window.table });
    else {
      this.#spare.give(at / CLUSTER);
      this.#repoint(window.index, 0);
    }
  }

  /** The window of a cluster; without a table in the file one is made when `make` says so, else there is none. */
  async #enter(index: number, make: boolean): Promise<Window | null> {
    if (this.#window?.index === index) return this.#window;
    this.#leave();
    const at = this.#l1[index] as number;
    if (at === 0 && !make) return null;
    const table = at === 0 ? new Uint8Array(CLUSTER) : Uint8Array.from(await clusterAt(this.#clone, at));
    if (at === 0) this.#repoint(index, await this.#claim());
    this.#window = { index, table, changed: false };
    return this.#window;
  }

  /** Host offset of an entry; what it was counts no more. */
  #forget(view: DataView, at: number): number {
    const [hi, lo] = [view.getUint32(at), view.getUint32(at + 4)];
    const host = hostOf(hi, lo);
    if ((lo & 1) !== 0) this.#zero -= 1;
    else if (host !== 0) this.#data -= 1;
    return host;
  }

  /** Where the bytes of a cluster belong from now on; the last one of the guest is zero-padded. */
  async replace(cluster: number): Promise<number> {
    this.#advance(cluster, 1);
    const window = (await this.#enter(Math.floor(cluster / PER_TABLE), true)) as Window;
    const [view, index] = [viewOf(window.table), cluster % PER_TABLE];
    const had = this.#forget(view, index * 8);
    const host = had === 0 ? await this.#claim() : had;
    putOwn(view, index, host);
    window.changed = true;
    this.#data += 1;
    return host;
  }

  /** `count` clusters that the file holds no more: they read zero. */
  async drop(cluster: number, count = 1): Promise<void> {
    this.#advance(cluster, count);
    const end = cluster + count;
    for (let from = cluster; from < end; ) {
      const index = Math.floor(from / PER_TABLE);
      const stop = Math.min(end, (index + 1) * PER_TABLE);
      const window = await this.#enter(index, false);
      if (window !== null) this.#clear(window, from % PER_TABLE, stop - index * PER_TABLE);
      from = stop;
    }
  }

  #clear(window: Window, first: number, stop: number): void {
    const view = viewOf(window.table);
    for (let at = first * 8; at < stop * 8; at += 8) {
      if (view.getBigUint64(at) === 0n) continue;
      const host = this.#forget(view, at);
      if (host !== 0) this.#spare.give(host / CLUSTER);
      putU64(view, at, 0);
      window.changed = true;
    }
  }

  /** The L2 tables of windows that are finished, each given once. */
  ready(): Block[] {
    return this.#ready.splice(0);
  }

  /** What is left to be written. Nothing can be replaced or dropped afterwards. */
  async finish(): Promise<Patched> {
    this.#leave();
    const table = await refcountTable(this.#clone);
    const fresh = this.#newBlocks(viewOf(table));
    const left = this.#spare.left();
    return {
      blocks: this.#blocks(table, fresh),
      freed: left.map(({ first, count }) => ({ at: first * CLUSTER, length: count * CLUSTER })),
      size: this.#end * CLUSTER,
      dataClusters: this.#data,
      zeroClusters: this.#zero,
    };
  }

  /** Makes room for the counts of what was appended, and enters it into the refcount table. */
  #newBlocks(table: DataView): Set<number> {
    const fresh = new Set<number>();
    for (let index = Math.floor(this.#oldEnd / PER_BLOCK); index * PER_BLOCK < this.#end; index += 1) {
      if (index * 8 >= table.byteLength) throw new RangeError('the refcount table has no room for so large a file');
      if (u64(table, index * 8) !== 0) continue;
      putU64(table, index * 8, this.#end * CLUSTER);
      this.#end += 1;
      fresh.add(index);
    }
    return fresh;
  }

  async *#blocks(table: Uint8Array, fresh: ReadonlySet<number>): AsyncGenerator<Block> {
    const { source, header } = this.#clone;
    const tail = Math.floor(source.size / CLUSTER) * CLUSTER;
    if (tail < source.size) yield { at: tail, bytes: await clusterAt(this.#clone, tail) };
    yield* this.ready();
    const recounts = [
      ...this.#spare.left().map((one) => ({ ...one, to: 0 })),
      ...this.#spare.taken().map((one) => ({ ...one, to: 1 })),
      { first: this.#oldEnd, count: this.#end - this.#oldEnd, to: 1 },
    ];
    yield* recounted(this.#clone, { table: viewOf(table), fresh, recounts });
    if (fresh.size > 0) yield { at: header.refcount.at, bytes: table };
    yield* repointed(this.#clone, this.#l1, this.#repointed);
  }
}
