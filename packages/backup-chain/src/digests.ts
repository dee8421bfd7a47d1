import { createHash } from 'node:crypto';
import { type ByteSource, ShortRead } from '@platter/qcow2/source';
import { clusterDigest, clustersOf, digestAt, digestBytes, sameDigest } from './digest.ts';
import { clusterSize } from './layout.ts';

const pageEntries = 512;

/** A point's digest list, read page by page and never held whole. */
export class Digests {
  readonly #source: ByteSource;
  #page = -1;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async #load(page: number): Promise<Uint8Array> {
    if (page === this.#page) return this.#bytes;
    const at = page * pageEntries * digestBytes;
    this.#bytes = await this.#source.read(at, Math.min(pageEntries * digestBytes, this.#source.size - at));
    this.#page = page;
    return this.#bytes;
  }

  /** The digests of `count` chunks of the data file from chunk `first` on. */
  async read(first: number, count: number): Promise<Uint8Array> {
    const list = new Uint8Array(count * digestBytes);
    for (let done = 0; done < count; ) {
      const index = first + done;
      const within = index % pageEntries;
      const page = await this.#load(Math.floor(index / pageEntries));
      const part = page.subarray(within * digestBytes, (within + count - done) * digestBytes);
      if (part.length < digestBytes) throw new ShortRead(index * digestBytes, digestBytes);
      list.set(part, done * digestBytes);
      done += part.length / digestBytes;
    }
    return list;
  }
}

/** SHA-256 of a whole source, in hex. */
export async function sha256Of(source: ByteSource): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += 2 ** 20)
    hash.update(await source.read(at, Math.min(2 ** 20, source.size - at)));
  return hash.digest('hex');
}

/** A chunk of a data file does not have the digest its list says. */
export class Damaged extends Error {
  override readonly name = 'Damaged';
  readonly at: number;
  constructor(at: number) {
    super(`the content at ${at} is not what its digest says`);
    this.at = at;
  }
}

/** Verified chunks of several files, the longest unused dropped first. */
export class ChunkCache {
  readonly #chunks = new Map<string, Uint8Array>();
  readonly #limit: number;

  constructor(limit = 64) {
    this.#limit = limit;
  }

  async get(key: string, load: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const chunk = this.#chunks.get(key) ?? (await load());
    this.#chunks.delete(key);
    this.#chunks.set(key, chunk);
    for (const oldest of this.#chunks.keys()) {
      if (this.#chunks.size <= this.#limit) break;
      this.#chunks.delete(oldest);
    }
    return chunk;
  }
}

export interface Verified {
  source: ByteSource;
  digests: Digests;
  cache: ChunkCache;
  /** Which file it is, for the cache. */
  key: string;
}

/**
 * A source whose every chunk that is read is checked against its digest, once: that a held file was changed since then
 * is for its holder to see. Rejects `Damaged`.
 */
export function verified({ source, digests, cache, key }: Verified): ByteSource {
  const sound = new Set<number>();
  const load = async (index: number): Promise<Uint8Array> => {
    const at = index * clusterSize;
    const chunk = await source.read(at, Math.min(clusterSize, source.size - at));
    if (sound.has(index)) return chunk;
    const expected = await digests.read(index, 1);
    if (!sameDigest(clusterDigest(chunk), digestAt(expected, 0))) throw new Damaged(at);
    sound.add(index);
    return chunk;
  };
  const chunkAt = (index: number) => cache.get(`${key}:${index}`, () => load(index));
  return {
    size: source.size,
    async read(at, length) {
      if (at < 0 || length < 0 || at + length > source.size) throw new ShortRead(at, length);
      const [first, end] = [Math.floor(at / clusterSize), clustersOf(at + length)];
      const within = at - first * clusterSize;
      if (end - first <= 1)
        return length === 0 ? new Uint8Array(0) : (await chunkAt(first)).subarray(within, within + length);
      const bytes = new Uint8Array((end - first) * clusterSize);
      for (let index = first; index < end; index += 1) bytes.set(await chunkAt(index), (index - first) * clusterSize);
      return bytes.subarray(within, within + length);
    },
  };
}
