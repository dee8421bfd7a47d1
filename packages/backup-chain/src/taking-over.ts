import type { Span } from '@platter/qcow2/runs';
import { clusterDigest, clustersOf, sameDigest, zeroDigest } from './digest.ts';
import type { Receiver } from './draft.ts';
import { clusterSize } from './layout.ts';
import type { Clusters } from './scope.ts';
import { hasBytes, isWhole, type Link, longestRun, readGuest, type Stack, spans } from './stack.ts';

/** A draft, and what it takes over of a chain. */
export interface Taking {
  draft: Receiver;
  /** The files whose clusters are taken, oldest first: the last ones of the chain. */
  upper: Stack;
  /** The whole chain, for clusters that the upper files hold only a part of. */
  whole: Stack;
  /** Told how far in the guest it has come, in bytes. */
  report?: (done: number) => void;
}

const batchBytes = 64 * 1024 * 1024;
/** What is read lies in memory until it is written. */
const readBytes = 8 * 1024 * 1024;

/** A span cut at the borders of clusters; the guest's last cluster may be short and is whole all the same. */
function* cuts({ at, length }: Span, size: number): Generator<Clusters & { isPart: boolean }> {
  const end = at + length;
  const [first, last] = [Math.ceil(at / clusterSize), end === size ? clustersOf(size) : Math.floor(end / clusterSize)];
  if (at < first * clusterSize) yield { first: first - 1, end: first, isPart: true };
  if (last > first) yield { first, end: last, isPart: false };
  if (last >= first && last * clusterSize < end) yield { first: last, end: last + 1, isPart: true };
}

/** Takes over clusters in guest order, and writes them batch by batch. */
class Taker {
  readonly #taking: Taking;
  /** A cluster of which several spans tell, and whether any of them says something. */
  #part = { cluster: -1, says: false };
  #bytes = 0;

  constructor(taking: Taking) {
    this.#taking = taking;
  }

  async #pour(at: number, bytes: number, batch = batchBytes): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < batch) return;
    this.#bytes = 0;
    await this.#taking.draft.pour();
    this.#taking.report?.(at);
  }

  /** What the guest sees of clusters, wherever it comes from. */
  async #read({ first, end }: Clusters): Promise<void> {
    const { draft, whole } = this.#taking;
    const step = longestRun / clusterSize;
    for (let from = first; from < end; from += step) {
      const count = Math.min(step, end - from);
      const bytes = await readGuest(whole, { at: from * clusterSize, length: count * clusterSize });
      for (let n = 0; n < count; n += 1) {
        const cluster = bytes.subarray(n * clusterSize, (n + 1) * clusterSize);
        const digest = clusterDigest(cluster);
        if (sameDigest(digest, zeroDigest)) await draft.zero(from + n, 1);
        else await draft.store(from + n, cluster, digest);
      }
      await this.#pour(from * clusterSize, bytes.length, readBytes);
    }
  }

  /** Clusters as they lie in their file. */
  async #copy(span: Span, { first, end }: Clusters): Promise<void> {
    const { draft, upper } = this.#taking;
    const { held, digests } = upper.links[span.layer] as Link;
    const at = span.host + first * clusterSize - span.at;
    const list = await digests?.read(at / clusterSize, end - first);
    if (list === undefined) return this.#read({ first, end });
    await draft.copy(first, { held, at }, list);
    await this.#pour(first * clusterSize, (end - first) * clusterSize);
  }

  async #settlePart(): Promise<void> {
    const { cluster, says } = this.#part;
    this.#part = { cluster: -1, says: false };
    if (says) await this.#read({ first: cluster, end: cluster + 1 });
  }

  /** Zeros that no entry says, for they lie behind the end of an upper file, only hide what is below: as far as that goes. */
  #needed(span: Span): Span {
    if (span.kind !== 'zero') return span;
    const { upper, whole } = this.#taking;
    const below = whole.links.at(-upper.links.length - 1);
    const hidden = clustersOf(below?.layer.header.size ?? 0) * clusterSize;
    const said = Math.min(...upper.links.slice(span.layer).map(({ layer }) => layer.header.size));
    return { ...span, length: Math.min(span.length, Math.max(said, hidden) - span.at) };
  }

  async take(span: Span): Promise<void> {
    const { draft, upper } = this.#taking;
    for (const { first, end, isPart } of cuts(this.#needed(span), upper.virtualSize)) {
      if (first !== this.#part.cluster) await this.#settlePart();
      if (isPart) this.#part = { cluster: first, says: this.#part.says || span.kind !== 'absent' };
      else if (span.kind === 'zero') await draft.zero(first, end - first);
      else if (isWhole(upper, span)) await this.#copy(span, { first, end });
      else if (hasBytes(span)) await this.#read({ first, end });
    }
  }

  async end(): Promise<void> {
    await this.#settlePart();
    await this.#taking.draft.pour();
  }
}

/**
 * Gives a draft every cluster that the upper files of a chain have an entry for: data, zeros, and of a cluster that
 * they hold a part of all that the guest sees there. What they do not have stays out.
 */
export async function takeOver(taking: Taking): Promise<void> {
  const taker = new Taker(taking);
  const { upper } = taking;
  for await (const span of spans(upper, { at: 0, length: upper.virtualSize }, longestRun)) await taker.take(span);
  await taker.end();
}
