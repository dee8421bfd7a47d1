import { ContentDigest, clusterDigest, clustersOf, digestBytes, zeroDigests, zeroRun } from './digest.ts';
import { clusterSize } from './layout.ts';
import { hasBytes, type Link, readGuest, spans, stackOf, windowBytes, windowClusters } from './stack.ts';

const sizeOf = ({ layer }: Link): number => layer.header.size;

/** One window of the guest as it is after some of a chain's files, as the digests of its clusters. */
class Window {
  readonly #links: readonly Link[];
  readonly #at: number;
  readonly #list = zeroDigests(windowClusters);
  /** Whether nothing but zeros was ever put in. */
  #blank = true;

  constructor(links: readonly Link[], at: number) {
    this.#links = links;
    this.#at = at;
  }

  /** How many clusters of it a disk of this size has. */
  #clusters(size: number): number {
    return Math.min(windowClusters, Math.max(0, clustersOf(size - this.#at)));
  }

  #clear(first: number, end: number): void {
    if (!this.#blank) this.#list.set(zeroRun(end - first), first * digestBytes);
  }

  #put(first: number, digests: Uint8Array): void {
    this.#list.set(digests, first * digestBytes);
    this.#blank = false;
  }

  /** Puts what file `n` has over what was there; says which cluster it had last. */
  async #lay(n: number): Promise<number> {
    const link = this.#links[n] as Link;
    const length = Math.min(windowBytes, sizeOf(link) - this.#at);
    let last = -1;
    for await (const span of spans(stackOf([link]), { at: this.#at, length })) {
      if (span.kind === 'absent') continue;
      const first = (span.at - this.#at) / clusterSize;
      last = first + clustersOf(span.length) - 1;
      if (!hasBytes(span)) this.#clear(first, last + 1);
      else this.#put(first, (await link.digests?.read(span.host / clusterSize, last + 1 - first)) ?? new Uint8Array(0));
    }
    return last;
  }

  /** A disk that shrank ends in a cluster of which only the beginning is left. */
  async #cut(n: number, last: number): Promise<void> {
    const size = sizeOf(this.#links[n] as Link);
    const edge = this.#clusters(size) - 1;
    this.#clear(edge + 1, windowClusters);
    const whole = size % clusterSize === 0 || this.#at + edge * clusterSize + clusterSize < size;
    if (n === 0 || edge < 0 || whole || edge === last || sizeOf(this.#links[n - 1] as Link) <= size) return;
    const at = this.#at + edge * clusterSize;
    const bytes = await readGuest(stackOf(this.#links.slice(0, n + 1)), { at, length: clusterSize });
    this.#put(edge, clusterDigest(bytes));
  }

  /** The digests of what the first files up to the `n`-th compose to; called for each file in turn. */
  async after(n: number): Promise<Uint8Array> {
    const size = sizeOf(this.#links[n] as Link);
    const last = size > this.#at ? await this.#lay(n) : -1;
    await this.#cut(n, last);
    return this.#list.subarray(0, this.#clusters(size) * digestBytes);
  }
}

/** An error met while a file of a chain was read, and which file it was. */
export class Unread extends Error {
  override readonly name = 'Unread';
  readonly link: Link;
  constructor(link: Link, cause: unknown) {
    super(`${link.name} cannot be read`, { cause });
    this.link = link;
  }
}

/**
 * The content digests of what a chain of points composes to at each of the links that are `wanted`, by one walk from
 * the oldest file to the newest: no file is looked at twice for the sake of another point. Rejects `Unread`.
 */
export async function contentsOf(links: readonly Link[], wanted: readonly boolean[]): Promise<(string | null)[]> {
  const contents = links.map((link, n) => (wanted[n] ? new ContentDigest(sizeOf(link)) : null));
  const end = Math.max(0, ...links.map(sizeOf));
  for (let at = 0; at < end; at += windowBytes) {
    const window = new Window(links, at);
    for (const [n, link] of links.entries())
      try {
        const list = await window.after(n);
        contents[n]?.add(at / clusterSize, list);
      } catch (error) {
        throw new Unread(link, error);
      }
  }
  return contents.map((content) => content?.hex() ?? null);
}
