import { Failure } from '@platter/host/failure';
import {
  ContentDigest,
  clustersOf,
  digestAt,
  digestBytes,
  sameDigest,
  zeroDigest,
  zeroDigests,
  zeroRun,
} from './digest.ts';
import type { Draft } from './draft.ts';
import { clusterSize } from './layout.ts';
import type { Slab } from './origin.ts';
import type { Clusters } from './scope.ts';
import { type Stack, windowClusters, windowDigests } from './stack.ts';

interface Sides {
  /** The chain the capture stands on; null for a full. */
  parent: Stack | null;
  virtualSize: number;
  /** What reads zero without being read; ascending. */
  zero: readonly Clusters[];
  /** A cluster that is stored even when it did not change; null: none. */
  forced: number | null;
  /** Clusters that must not have changed, or the list of changes is of another disk. */
  control: ReadonlySet<number>;
  draft: Draft;
}

/**
 * Takes the clusters of a source in order, hands those that differ from the parent to the draft, and keeps the content
 * digest of both. One window of digests at a time.
 */
export class Comparison {
  readonly #sides: Sides;
  readonly #content: ContentDigest;
  readonly #before: ContentDigest | null;
  readonly #clusters: number;
  readonly #zero: Iterator<number>;
  #nextZero: number;
  #first = 0;
  #end = 0;
  #was: Uint8Array = new Uint8Array(0);
  readonly #now = Buffer.alloc(windowClusters * digestBytes);

  constructor(sides: Sides) {
    this.#sides = sides;
    this.#content = new ContentDigest(sides.virtualSize);
    this.#before = sides.parent === null ? null : new ContentDigest(sides.parent.virtualSize);
    this.#clusters = clustersOf(sides.virtualSize);
    this.#zero = each(sides.zero);
    this.#nextZero = this.#zero.next().value ?? Number.POSITIVE_INFINITY;
  }

  /** The digests of the parent's clusters from `first` on; those behind its end are zeros'. */
  async #parentDigests(first: number, count: number): Promise<Uint8Array> {
    const { parent } = this.#sides;
    const at = first * clusterSize;
    if (parent === null) return zeroRun(count);
    const length = Math.min(windowClusters * clusterSize, parent.virtualSize - at);
    const own = length > 0 ? await windowDigests(parent, { at, length }) : new Uint8Array(0);
    this.#before?.add(first, own);
    if (own.length >= count * digestBytes) return own.subarray(0, count * digestBytes);
    return Buffer.concat([own, zeroDigests(count - own.length / digestBytes)]);
  }

  /** Settles windows until the one that holds `cluster` is at hand. */
  async #enter(cluster: number): Promise<void> {
    while (cluster >= this.#end) {
      this.#settle();
      this.#first = this.#end;
      this.#end = Math.min(this.#first + windowClusters, this.#clusters);
      if (this.#first === this.#end) return;
      this.#was = await this.#parentDigests(this.#first, this.#end - this.#first);
      this.#now.set(this.#was);
    }
  }

  #settle(): void {
    this.#zeroBefore(this.#end);
    this.#content.add(this.#first, this.#now.subarray(0, (this.#end - this.#first) * digestBytes));
  }

  /** Clusters that are zero unread, up to `cluster`. */
  #zeroBefore(cluster: number): void {
    for (; this.#nextZero < cluster; this.#nextZero = this.#zero.next().value ?? Number.POSITIVE_INFINITY)
      this.#put(this.#nextZero, zeroDigest, null);
  }

  #put(cluster: number, digest: Uint8Array, bytes: Uint8Array | null): void {
    const index = cluster - this.#first;
    if (sameDigest(digest, digestAt(this.#was, index)) && cluster !== this.#sides.forced) return;
    if (this.#sides.control.has(cluster)) throw misled(cluster);
    this.#now.set(digest, index * digestBytes);
    if (bytes === null) this.#sides.draft.zero(cluster, 1);
    else this.#sides.draft.store(cluster, bytes, digest);
  }

  /** Takes what was read, and writes what of it changed. */
  async take({ count, at, bytes, sha256, zero }: Slab): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const cluster = (at[n] as number) / clusterSize;
      if (cluster >= this.#end) await this.#enter(cluster);
      this.#zeroBefore(cluster);
      const content = zero[n] === 1 ? null : bytes.subarray(n * clusterSize, (n + 1) * clusterSize);
      this.#put(cluster, digestAt(sha256, n), content);
    }
    await this.#sides.draft.pour();
  }

  /** The content digest of the source, and that of the parent's chain, when all has been taken. */
  async finish(): Promise<{ content: string; before: string | null }> {
    await this.#enter(this.#clusters);
    const behind = Math.ceil(this.#clusters / windowClusters) * windowClusters;
    const last = clustersOf(this.#sides.parent?.virtualSize ?? 0);
    for (let first = behind; first < last; first += windowClusters) await this.#parentDigests(first, 0);
    return { content: this.#content.hex(), before: this.#before?.hex() ?? null };
  }
}

const misled = (cluster: number): Failure =>
  new Failure('corrupt', 'the change list is not of this disk', {
    details: { by: `the cluster at ${cluster * clusterSize} changed, and the list does not say so` },
    hint: '--engine diff reads the whole source',
  });

function* each(clusters: readonly Clusters[]): Generator<number, undefined> {
  for (const { first, end } of clusters) for (let cluster = first; cluster < end; cluster += 1) yield cluster;
}
