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
}

/** The digests of clusters of a target, past the page cache; of the last one only what belongs to the disk. */
export async function* targetDigests({ target, virtualSize, workers }: Look, clusters: readonly Clusters[]) {
  const last = clustersOf(virtualSize) - 1;
  const rest = virtualSize % clusterSize;
  for await (const { count, at, bytes, sha256 } of sip(target, { ranges: bytesOf(clusters, target.size), workers }))
    for (let n = 0; n < count; n += 1) {
      const cluster = (at[n] as number) / clusterSize;
      const cut = cluster === last && rest > 0;
      const digest = cut ? clusterDigest(bytes.subarray(n * clusterSize, n * clusterSize + rest)) : digestAt(sha256, n);
      yield { cluster, digest };
    }
}

/** Which clusters of a target are not what the chain says, one byte each; `null` when all are. */
export async function differing(look: Look, stack: Stack): Promise<Uint8Array | null> {
  const total = clustersOf(look.virtualSize);
  const mask = new Uint8Array(total);
  const expected = new Expected(stack);
  const there = Math.min(total, clustersOf(look.target.size));
  mask.fill(1, there);
  let any = there < total;
  for await (const { cluster, digest } of targetDigests(look, [{ first: 0, end: there }])) {
    if (sameDigest(digest, await expected.at(cluster))) continue;
    mask[cluster] = 1;
    any = true;
  }
  return any ? mask : null;
}

/** Whether everything behind the disk on its target is zero. */
export async function tailIsZero({ target, virtualSize, workers }: Look): Promise<boolean> {
  const ranges = [{ at: virtualSize, length: target.size - virtualSize }];
  const within = virtualSize % clusterSize;
  for await (const { count, at, bytes, zero } of sip(target, { ranges, workers }))
    for (let n = 0; n < count; n += 1) {
      const first = (at[n] as number) < virtualSize ? within : 0;
      const clean =
        first === 0
          ? zero[n] === 1
          : bytes.subarray(n * clusterSize + first, (n + 1) * clusterSize).every((byte) => byte === 0);
      if (!clean) return false;
    }
  return true;
}
