import { createHash, hash } from 'node:crypto';
import { clusterSize } from './layout.ts';

/** SHA-256 of a cluster of zeros: what unallocated and ZERO clusters read as. */
export const zeroDigest: Uint8Array = hash('sha256', new Uint8Array(clusterSize), 'buffer');

/** Bytes of one digest in a list. */
export const digestBytes = 32;

export const clustersOf = (size: number): number => Math.ceil(size / clusterSize);

/** The digest of up to one cluster of bytes, zero-padded to a whole one. */
export function clusterDigest(bytes: Uint8Array): Uint8Array {
  if (bytes.length === clusterSize) return hash('sha256', bytes, 'buffer');
  const padded = new Uint8Array(clusterSize);
  padded.set(bytes);
  return hash('sha256', padded, 'buffer');
}

/** Digests of every chunk of a block of the data file, the last zero-padded. */
export function chunkDigests(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: clustersOf(bytes.length) }, (_, n) =>
    clusterDigest(bytes.subarray(n * clusterSize, (n + 1) * clusterSize)),
  );
}

const mostClusters = 8192;
const manyZeros: Uint8Array = Buffer.alloc(mostClusters * digestBytes, zeroDigest);

/** The digests of up to 8192 clusters of zeros; shared, not to be written to. */
export const zeroRun = (clusters: number): Uint8Array => manyZeros.subarray(0, clusters * digestBytes);

/** Digests of a run of clusters, at first all of zeros. */
export const zeroDigests = (clusters: number): Uint8Array => Buffer.alloc(clusters * digestBytes, zeroDigest);

export const digestAt = (list: Uint8Array, index: number): Uint8Array =>
  list.subarray(index * digestBytes, (index + 1) * digestBytes);

/** The digests of `count` clusters of a list, from the one at `index` on. */
export const digestsAt = (list: Uint8Array, index: number, count: number): Uint8Array =>
  list.subarray(index * digestBytes, (index + count) * digestBytes);

/** Whether two digests, or two lists of them, are the same. */
export const sameDigest = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** `platter-content/1`: the digest of a guest's content from the digests of its clusters, ascending (spec 2.4). */
export class ContentDigest {
  readonly #hash = createHash('sha256');

  constructor(virtualSize: number) {
    this.#hash.update(`platter-content/1 ${virtualSize}\n`);
  }

  /** Takes the digests of consecutive clusters from `first` on. */
  add(first: number, list: Uint8Array): void {
    if (list.length <= manyZeros.length && sameDigest(list, manyZeros.subarray(0, list.length))) return;
    const count = list.length / digestBytes;
    const words = Buffer.alloc(count * 40);
    let used = 0;
    for (let n = 0; n < count; n += 1) {
      const digest = digestAt(list, n);
      if (digest[0] === zeroDigest[0] && sameDigest(digest, zeroDigest)) continue;
      words.writeUInt32BE(Math.floor((first + n) / 2 ** 32), used);
      words.writeUInt32BE((first + n) % 2 ** 32, used + 4);
      words.set(digest, used + 8);
      used += 40;
    }
    this.#hash.update(words.subarray(0, used));
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}
