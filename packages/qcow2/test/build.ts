import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib';
import { putU64, viewOf } from '../src/bits.ts';

/** What one unit (cluster, or subcluster of an extended image) of the model holds. */
export interface Cell {
  kind: 'absent' | 'zero' | 'data' | 'compressed';
  byte: number;
}

/** An image to be built: its cells in guest order; those left out are absent. */
export interface Plan {
  clusterBits: number;
  size: number;
  cells: readonly Cell[];
  version?: 2 | 3;
  extended?: boolean;
  zstd?: boolean;
  order?: number;
}

/** An image in memory, and where its parts lie. */
export interface Built {
  bytes: Uint8Array;
  l1At: number;
  refcountAt: number;
  /** File offset of the L2 entry of a cluster that is not absent. */
  entryAt(cluster: number): number;
}

/** The bytes of a cell: never all zero. */
export function cellBytes(cell: Cell, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (cell.kind === 'data' || cell.kind === 'compressed') {
    for (let at = 0; at < length; at += 64) bytes[at] = (cell.byte + at / 64) & 0xff || 1;
  }
  return bytes;
}

/** Guest bytes of one cell. */
export const unitOf = (plan: Plan): number => 2 ** plan.clusterBits / (plan.extended ? 32 : 1);

/** What the guest reads. */
export function contentOf(plan: Plan): Uint8Array {
  const unit = unitOf(plan);
  const bytes = new Uint8Array(Math.ceil(plan.size / unit) * unit);
  for (const [index, cell] of plan.cells.entries()) {
    const at = index * unit;
    if (at < bytes.length) bytes.set(cellBytes(cell, unit), at);
  }
  return bytes.subarray(0, plan.size);
}

const pack = (bytes: Uint8Array, zstd: boolean): Uint8Array =>
  zstd ? zstdCompressSync(bytes) : deflateRawSync(bytes, { windowBits: 12, finishFlush: constants.Z_FINISH });

/** A file that grows, and how often each of its clusters is referred to. */
class Disk {
  #room = new Uint8Array(2 ** 16);
  #length = 0;
  readonly counts: number[] = [];
  readonly cluster: number;
  #packedAt = 0;

  constructor(cluster: number) {
    this.cluster = cluster;
  }

  get bytes(): Uint8Array {
    return this.#room.subarray(0, this.#length);
  }

  #reserve(length: number): void {
    if (length <= this.#room.length) return;
    const room = new Uint8Array(Math.max(length, 2 * this.#room.length));
    room.set(this.bytes);
    this.#room = room;
  }

  claim(clusters: number): number {
    const at = this.#length;
    this.#reserve(at + clusters * this.cluster);
    this.#length += clusters * this.cluster;
    for (let index = 0; index < clusters; index++) this.counts[at / this.cluster + index] = 1;
    return at;
  }

  /** Packs bytes behind the compressed cluster before, sharing its host cluster. */
  pack(bytes: Uint8Array): number {
    const room = Math.ceil(this.#packedAt / this.cluster) * this.cluster - this.#packedAt;
    const fits = bytes.length <= room;
    const at = fits ? this.#packedAt : this.claim(Math.ceil(bytes.length / this.cluster));
    const sectorsEnd = Math.ceil((at + bytes.length) / 512) * 512;
    if (fits) {
      const index = Math.floor(at / this.cluster);
      this.counts[index] = (this.counts[index] ?? 0) + 1;
    }
    this.bytes.set(bytes, at);
    this.#packedAt = Math.min(at + bytes.length, sectorsEnd);
    return at;
  }
}

function putData(
  disk: Disk,
  table: number,
  { index, cells, plan }: { index: number; cells: readonly Cell[]; plan: Plan },
) {
  const cluster = disk.cluster;
  const entry = table + index * (plan.extended ? 16 : 8);
  const unit = unitOf(plan);
  const first = cells[0] as Cell;
  if (first.kind === 'compressed') {
    const packed = pack(cellBytes(first, cluster), plan.zstd ?? false);
    const at = disk.pack(packed);
    const sectors = Math.floor((at + packed.length - 1) / 512) - Math.floor(at / 512);
    const shift = 38 - plan.clusterBits;
    const hi = 0x40000000 + sectors * 2 ** shift + Math.floor(at / 2 ** 32);
    viewOf(disk.bytes).setUint32(entry, hi);
    viewOf(disk.bytes).setUint32(entry + 4, at % 2 ** 32);
    return;
  }
  const hasData = cells.some((cell) => cell.kind === 'data');
  const at = hasData ? disk.claim(1) : 0;
  const view = viewOf(disk.bytes);
  if (hasData) {
    putU64(view, entry, at);
    view.setUint32(entry, view.getUint32(entry) + 0x80000000);
  }
  for (const [sub, cell] of cells.entries()) {
    if (cell.kind === 'data') disk.bytes.set(cellBytes(cell, unit), at + sub * unit);
    if (!plan.extended) {
      if (cell.kind === 'zero') disk.bytes[entry + 7] = 1;
      continue;
    }
    const word = cell.kind === 'data' ? entry + 12 : entry + 8;
    if (cell.kind !== 'absent') view.setUint32(word, (view.getUint32(word) | (1 << sub)) >>> 0);
  }
}

function putHeader(view: DataView, plan: Plan, at: { l1: number; entries: number; refcount: number }): void {
  const version = plan.version ?? 3;
  for (const [where, value] of [
    [0, 0x514649fb],
    [4, version],
    [20, plan.clusterBits],
    [36, at.entries],
    [56, 1],
  ] as const) {
    view.setUint32(where, value);
  }
  putU64(view, 24, plan.size);
  putU64(view, 40, at.l1);
  putU64(view, 48, at.refcount);
  if (version < 3) return;
  view.setUint32(76, (plan.extended ? 16 : 0) + (plan.zstd ? 8 : 0));
  view.setUint32(96, plan.order ?? 4);
  view.setUint32(100, 112);
  view.setUint8(104, plan.zstd ? 1 : 0);
}

function putCounts(disk: Disk, order: number, refcountAt: number): void {
  const bits = 2 ** order;
  const perBlock = (disk.cluster * 8) / bits;
  let blocks = 0;
  while (blocks * perBlock < disk.counts.length + blocks) blocks++;
  const at = disk.claim(blocks);
  const view = viewOf(disk.bytes);
  for (let block = 0; block < blocks; block++) putU64(view, refcountAt + block * 8, at + block * disk.cluster);
  for (const [index, count] of disk.counts.entries()) {
    const bit = index * bits;
    if (bits < 8) disk.bytes[at + (bit >>> 3)] = (disk.bytes[at + (bit >>> 3)] ?? 0) | (count << (bit & 7));
    else if (bits === 8) view.setUint8(at + index, count);
    else view.setUint16(at + (index + 1) * (bits / 8) - 2, count);
  }
}

/** Builds an image with exact refcounts; compressed cells are whole clusters. */
export function build(plan: Plan): Built {
  const cluster = 2 ** plan.clusterBits;
  const disk = new Disk(cluster);
  disk.claim(1);
  const refcountAt = disk.claim(1);
  const perCluster = plan.extended ? 32 : 1;
  const entrySize = plan.extended ? 16 : 8;
  const perTable = cluster / entrySize;
  const entries = Math.ceil(plan.size / (perTable * cluster));
  const l1At = disk.claim(Math.ceil((entries * 8) / cluster));
  const tables = new Map<number, number>();
  const clusters = Math.ceil(plan.cells.length / perCluster);
  for (let index = 0; index < clusters; index++) {
    const cells = plan.cells.slice(index * perCluster, (index + 1) * perCluster);
    if (cells.every((cell) => cell.kind === 'absent')) continue;
    const l1 = Math.floor(index / perTable);
    if (!tables.has(l1)) {
      const table = disk.claim(1);
      tables.set(l1, table);
      putU64(viewOf(disk.bytes), l1At + l1 * 8, table);
      const view = viewOf(disk.bytes);
      view.setUint32(l1At + l1 * 8, view.getUint32(l1At + l1 * 8) + 0x80000000);
    }
    putData(disk, tables.get(l1) ?? 0, { index: index % perTable, cells, plan });
  }
  putCounts(disk, plan.version === 2 ? 4 : (plan.order ?? 4), refcountAt);
  putHeader(viewOf(disk.bytes), plan, { l1: l1At, entries, refcount: refcountAt });
  const entryAt = (index: number): number =>
    (tables.get(Math.floor(index / perTable)) ?? Number.NaN) + (index % perTable) * entrySize;
  return { bytes: disk.bytes, l1At, refcountAt, entryAt };
}
