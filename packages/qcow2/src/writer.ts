import { putOwn, putU64, viewOf } from './bits.ts';

/** Bytes for a place in the file. */
export interface Block {
  at: number;
  bytes: Uint8Array;
}

const CLUSTER = 65536;
const PER_TABLE = CLUSTER / 8;
const PER_REFCOUNT_BLOCK = CLUSTER / 2;
const MAX_L1 = 4 * 2 ** 20;
const ZERO_FLAG = 1;

/** Clusters of refcount blocks and table for `used` other clusters, which they count as well. */
function refcountClusters(used: number): { blocks: number; table: number } {
  let [blocks, table] = [0, 0];
  for (let total = used, before = -1; total !== before; ) {
    before = total;
    blocks = Math.ceil(total / PER_REFCOUNT_BLOCK);
    table = Math.ceil((blocks * 8) / CLUSTER);
    total = used + blocks + table;
  }
  return { blocks, table };
}

/** A version 3 header of 112 bytes, without extensions or names (qcow2 spec, Header). */
function headerBlock({ virtualSize, l1Entries, refcountAt, refcountTable }: Record<string, number>): Block {
  const bytes = new Uint8Array(CLUSTER);
  const view = viewOf(bytes);
  const words: readonly (readonly [number, number | undefined])[] = [
    [0, 0x514649fb],
    [4, 3],
    [20, 16],
    [36, l1Entries],
    [56, refcountTable],
    [96, 4],
    [100, 112],
  ];
  for (const [at, value] of words) view.setUint32(at, value ?? 0);
  putU64(view, 24, virtualSize ?? 0);
  putU64(view, 40, CLUSTER);
  putU64(view, 48, refcountAt ?? 0);
  return { at: 0, bytes };
}

/** One refcount block: 16-bit counts, 1 for each of the `clusters` of the file that it covers. */
function refcountBlock(index: number, clusters: number): Uint8Array {
  const bytes = new Uint8Array(CLUSTER);
  const counted = Math.min(PER_REFCOUNT_BLOCK, clusters - index * PER_REFCOUNT_BLOCK);
  for (let cluster = 0; cluster < counted; cluster++) bytes[cluster * 2 + 1] = 1;
  return bytes;
}

/**
 * Lays out a canonical data file: header in cluster 0, L1 from cluster 1, data in guest order with each window's L2
 * table after its data, refcount blocks, refcount table. Same calls, same bytes; performs no I/O.
 * Clusters of 64 KiB are given in ascending order, else it throws `RangeError`.
 */
export class Writer {
  readonly #virtualSize: number;
  readonly #full: boolean;
  readonly #clusters: number;
  readonly #l1: Uint8Array;
  #next = 0;
  #end: number;
  #window = -1;
  #table: Uint8Array | null = null;
  #ready: Block[] = [];

  constructor({ virtualSize, type }: { virtualSize: number; type: 'full' | 'incremental' }) {
    const entries = Math.ceil(virtualSize / (PER_TABLE * CLUSTER));
    const sound = Number.isSafeInteger(virtualSize) && virtualSize > 0 && virtualSize % 512 === 0;
    if (!sound || entries > MAX_L1) throw new RangeError(`no image has a virtual size of ${virtualSize} bytes`);
    this.#virtualSize = virtualSize;
    this.#full = type === 'full';
    this.#clusters = Math.ceil(virtualSize / CLUSTER);
    this.#l1 = new Uint8Array(Math.ceil((entries * 8) / CLUSTER) * CLUSTER);
    this.#end = CLUSTER + this.#l1.length;
  }

  #advance(cluster: number, count: number): void {
    const sound = Number.isSafeInteger(cluster) && count > 0 && cluster >= this.#next;
    if (!sound || cluster + count > this.#clusters) {
      throw new RangeError(`clusters ${cluster}+${count} do not follow ${this.#next} within ${this.#clusters}`);
    }
    this.#next = cluster + count;
  }

  #claim(length: number): number {
    const at = this.#end;
    this.#end += length;
    return at;
  }

  #close(): void {
    if (this.#table === null) return;
    const at = this.#claim(CLUSTER);
    putOwn(viewOf(this.#l1), this.#window, at);
    this.#ready.push({ at, bytes: this.#table });
    this.#table = null;
  }

  /** The L2 table that describes a cluster; a finished one before it gets its place. */
  #tableOf(cluster: number): Uint8Array {
    const window = Math.floor(cluster / PER_TABLE);
    if (window !== this.#window) this.#close();
    this.#window = window;
    this.#table ??= new Uint8Array(CLUSTER);
    return this.#table;
  }

  /** The host offset where the bytes of one data cluster belong; the last one of the guest is zero-padded. */
  place(cluster: number): number {
    this.#advance(cluster, 1);
    const table = viewOf(this.#tableOf(cluster));
    const at = this.#claim(CLUSTER);
    putOwn(table, cluster % PER_TABLE, at);
    return at;
  }

  /** `count` clusters that read zero, whatever lies below; in a full they are simply left out. */
  zero(cluster: number, count: number): void {
    this.#advance(cluster, count);
    if (this.#full) return;
    for (let index = cluster; index < cluster + count; index++) {
      this.#tableOf(index)[(index % PER_TABLE) * 8 + 7] = ZERO_FLAG;
    }
  }

  /** The L2 tables of windows that are finished, each given once. */
  ready(): Block[] {
    const blocks = this.#ready;
    this.#ready = [];
    return blocks;
  }

  /** What is left, the header last: until it is written the file is no image. Nothing can be placed afterwards. */
  *finish(): Generator<Block> {
    this.#close();
    this.#next = this.#clusters;
    yield* this.ready();
    yield { at: CLUSTER, bytes: this.#l1 };
    yield* this.#refcounts();
  }

  *#refcounts(): Generator<Block> {
    const { blocks, table } = refcountClusters(this.#end / CLUSTER);
    const blocksAt = this.#claim(blocks * CLUSTER);
    const refcountAt = this.#claim(table * CLUSTER);
    const pointers = new Uint8Array(table * CLUSTER);
    for (let index = 0; index < blocks; index++) {
      putU64(viewOf(pointers), index * 8, blocksAt + index * CLUSTER);
      yield { at: blocksAt + index * CLUSTER, bytes: refcountBlock(index, this.#end / CLUSTER) };
    }
    yield { at: refcountAt, bytes: pointers };
    const l1Entries = Math.ceil(this.#virtualSize / (PER_TABLE * CLUSTER));
    yield headerBlock({ virtualSize: this.#virtualSize, l1Entries, refcountAt, refcountTable: table });
  }
}
