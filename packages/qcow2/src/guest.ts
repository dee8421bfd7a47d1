import { unpack } from './clusters.ts';
import { type Extent, layerExtents, type Range } from './extents.ts';
import { type Policy, Refused } from './finding.ts';
import type { Header } from './header.ts';
import { judge } from './judge.ts';
import { type Layer, layerOf } from './open.ts';
import { type ByteSource, ShortRead } from './source.ts';

/** The bytes that a guest sees, and which of them may be other than zero. */
export interface Guest {
  readonly size: number;
  /** Exactly `length` bytes; rejects `ShortRead` beyond `size`, and `Refused` on a broken entry or cluster. */
  read(at: number, length: number): Promise<Uint8Array>;
  extents(range?: Range): AsyncIterable<Extent>;
}

/** Reads clusters of one image; the last unpacked one is kept. */
class Reader {
  readonly #layer: Layer;
  #packedAt = -1;
  #cluster = new Uint8Array(0);

  constructor(layer: Layer) {
    this.#layer = layer;
  }

  async #unpacked({ host, hostLength }: Extent): Promise<Uint8Array> {
    if (host === this.#packedAt) return this.#cluster;
    const { source, header } = this.#layer;
    const cluster = new Uint8Array(2 ** header.clusterBits);
    unpack(header, await source.read(host, Math.min(hostLength, source.size - host)), cluster);
    this.#packedAt = host;
    this.#cluster = cluster;
    return cluster;
  }

  async #bytes(extent: Extent): Promise<Uint8Array> {
    if (extent.kind === 'data') return this.#layer.source.read(extent.host, extent.length);
    const cluster = await this.#unpacked(extent);
    const from = extent.at % cluster.length;
    return cluster.subarray(from, from + extent.length);
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for await (const extent of layerExtents(this.#layer, { at, length })) {
      const holds = extent.kind === 'data' || extent.kind === 'compressed';
      if (holds) bytes.set(await this.#bytes(extent), extent.at - at);
    }
    return bytes;
  }
}

/** The guest of a standalone image; tables are read when they are needed. Throws `Refused` when `policy` says so. */
export function guest(source: ByteSource, header: Header, policy: Policy): Guest {
  const findings = judge(header, policy).filter((finding) => finding.verdict !== 'warn');
  if (findings.length > 0) throw new Refused(findings);
  let opened: Promise<Layer> | undefined;
  let reader: Reader | undefined;
  const open = () => {
    opened ??= layerOf(source, header);
    return opened;
  };
  return {
    size: header.size,
    async read(at, length) {
      if (at < 0 || length < 0 || at + length > header.size) throw new ShortRead(at, length);
      reader ??= new Reader(await open());
      return reader.read(at, length);
    },
    async *extents(range) {
      yield* layerExtents(await open(), range);
    },
  };
}
