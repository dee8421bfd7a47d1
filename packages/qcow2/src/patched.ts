import { putOwn, putU64, u64, viewOf } from './bits.ts';
import type { Layer } from './open.ts';
import { clusterAt, type Stretch } from './spare.ts';
import type { Block } from './writer.ts';

const CLUSTER = 65536;
const PER_TABLE = CLUSTER / 8;
const PER_BLOCK = CLUSTER / 2;

/** A count that clusters get. */
type Recount = Stretch & { to: number };

/** The refcount blocks that a stretch of clusters is counted in. */
function blocksOf({ first, count }: Stretch): number[] {
  const [from, to] = [Math.floor(first / PER_BLOCK), Math.ceil((first + count) / PER_BLOCK)];
  return Array.from({ length: to - from }, (_, n) => from + n);
}

export interface Recounting {
  /** The refcount table as it will be, and which of its blocks are new. */
  table: DataView;
  fresh: ReadonlySet<number>;
  recounts: readonly Recount[];
}

/** The refcount blocks of a canonical file in which a count changes. */
export async function* recounted(layer: Layer, { table, fresh, recounts }: Recounting): AsyncGenerator<Block> {
  for (const index of [...new Set(recounts.flatMap(blocksOf))].sort((a, b) => a - b)) {
    const at = u64(table, index * 8);
    const bytes = fresh.has(index) ? new Uint8Array(CLUSTER) : Uint8Array.from(await clusterAt(layer, at));
    const [view, base] = [viewOf(bytes), index * PER_BLOCK];
    for (const { first, count, to } of recounts) {
      const stop = Math.min(first + count - base, PER_BLOCK);
      for (let n = Math.max(0, first - base); n < stop; n += 1) view.setUint16(n * 2, to);
    }
    yield { at, bytes };
  }
}

/** The clusters of the L1 table in which one of these entries changes. */
export async function* repointed(layer: Layer, l1: Float64Array, changed: ReadonlySet<number>): AsyncGenerator<Block> {
  const entries = [...changed].sort((a, b) => a - b);
  for (let n = 0; n < entries.length; ) {
    const part = Math.floor((entries[n] as number) / PER_TABLE);
    const at = layer.header.l1.at + part * CLUSTER;
    const bytes = Uint8Array.from(await clusterAt(layer, at));
    for (; n < entries.length && (entries[n] as number) < (part + 1) * PER_TABLE; n += 1) {
      const index = entries[n] as number;
      const host = l1[index] as number;
      if (host === 0) putU64(viewOf(bytes), (index % PER_TABLE) * 8, 0);
      else putOwn(viewOf(bytes), index % PER_TABLE, host);
    }
    yield { at, bytes };
  }
}
