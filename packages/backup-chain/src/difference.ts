import type { Held } from '@platter/host/hold';
import { sip } from '@platter/host/sip';
import { clusterDigest, clustersOf, digestAt, sameDigest } from './digest.ts';
import { clusterSize } from './layout.ts';
import { bytesOf, type Clusters } from './scope.ts';
import { type Stack, windowBytes, windowClusters, windowDigests } from './stack.ts';

/** Digests of what a chain composes to, asked for in ascending order; one window at a time. */
export class Expected {
  readonly #stack: Stack;
  #window = -1;
  #list: Uint8Array = new Uint8Array(0);

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async at(cluster: number): Promise<Uint8Array> {
    const window = Math.floor(cluster / windowClusters);
    if (window !== this.#window) {
      const at = window * windowBytes;
      const length = Math.min(windowBytes, this.#stack.virtualSize - at);
      this.#list = await windowDigests(this.#stack, { at, length });
      this.#window = window;
    }
    return digestAt(this.#list, cluster % windowClusters);
  }
}

export interface Look {
  target: Held;
  virtualSize: number;
  workers: number;
  /** Told how many bytes have been read. */
  report?: (done: number) => void;
}

/** The digests of clusters of a target, past the page cache; of the last one only what belongs to the disk. */
export async function* targetDigests({ target, virtualSize, workers, report }: Look, clusters: readonly Clusters[]) {
  let done = 0;
  const last = clustersOf(virtualSize) - 1;
  const rest = virtualSize % clusterSize;
  for await (const { count, at, bytes, sha256 } of sip(target, { ranges: bytesOf(clusters, target.size), workers })) {
    for (let n = 0; n < count; n += 1) {
      const cluster = (at[n] as number) / clusterSize;
      const cut = cluster === last && rest > 0;
      const digest = cut ? clusterDigest(bytes.subarray(n * clusterSize, n * clusterSize + rest)) : digestAt(sha256, n);
      yield { cluster, digest };
    }
    done += count * clusterSize;
    report?.(done);
  }
}

/** The clusters of a target that are not what the chain says, ascending; those that a smaller one has not whole are among them. */
export async function* differences(look: Look, stack: Stack): AsyncGenerator<number> {
  const total = clustersOf(look.virtualSize);
  const { size } = look.target;
  const there = size < look.virtualSize ? Math.floor(size / clusterSize) : total;
  const expected = new Expected(stack);
  for await (const { cluster, digest } of targetDigests(look, [{ first: 0, end: there }]))
    if (!sameDigest(digest, await expected.at(cluster))) yield cluster;
  for (let cluster = there; cluster < total; cluster += 1) yield cluster;
}

/** Which clusters of a target are not what the chain says, one byte each; `null` when all are. */
export async function differing(look: Look, stack: Stack): Promise<Uint8Array | null> {
  const mask = new Uint8Array(clustersOf(look.virtualSize));
  let any = false;
  for await (const cluster of differences(look, stack)) {
    mask[cluster] = 1;
    any = true;
  }
  return any ? mask : null;
}

/** The clusters behind the disk on its target that are not zero, the one it ends in as far as it lies behind. */
export async function* dirtyTail({ target, virtualSize, workers }: Look): AsyncGenerator<number> {
  const ranges = [{ at: virtualSize, length: target.size - virtualSize }];
  const within = virtualSize % clusterSize;
  for await (const { count, at, bytes, zero } of sip(target, { ranges, workers }))
    for (let n = 0; n < count; n += 1) {
      const first = (at[n] as number) < virtualSize ? within : 0;
      const clean =
        first === 0
          ? zero[n] === 1
          : bytes.subarray(n * clusterSize + first, (n + 1) * clusterSize).every((byte) => byte === 0);
      if (!clean) yield (at[n] as number) / clusterSize;
    }
}

/** Whether everything behind the disk on its target is zero. */
export async function tailIsZero(look: Look): Promise<boolean> {
  for await (const _ of dirtyTail(look)) return false;
  return true;
}
