import type { Held } from '@platter/host/hold';
import type { Piece } from '@platter/host/pour';
import { compose, unpack } from '@platter/qcow2/clusters';
import type { Layer } from '@platter/qcow2/open';
import type { Span } from '@platter/qcow2/runs';
import { ContentDigest, chunkDigests, clustersOf, digestBytes, zeroDigests, zeroRun } from './digest.ts';
import type { Digests } from './digests.ts';
import { clusterSize } from './layout.ts';

/** One file of a chain, held open; `digests` of a point, null of a loose file. */
export interface Link {
  name: string;
  held: Held;
  layer: Layer;
  digests: Digests | null;
  /** Its data is written without comparing it with its digests first. */
  unchecked?: boolean;
}

/** A chain of open files, oldest first, as one guest. */
export interface Stack {
  links: readonly Link[];
  virtualSize: number;
}

/** Guest bytes that are looked at at once: one L2 table of 64 KiB clusters. */
export const windowBytes = 2 ** 29;
export const windowClusters = windowBytes / clusterSize;
export const longestRun = 2 ** 21;

export interface Range {
  at: number;
  length: number;
}

export const stackOf = (links: readonly Link[]): Stack => ({
  links,
  virtualSize: links.at(-1)?.layer.header.size ?? 0,
});

/** What the guest sees of a range, file by file (spec 2.5). */
export const spans = ({ links }: Stack, range: Range, longest = Number.POSITIVE_INFINITY): AsyncIterable<Span> =>
  compose(
    links.map(({ layer }) => layer),
    range,
    longest,
  );

/** The windows that cover a guest. */
export function* windows(virtualSize: number): Generator<Range> {
  for (let at = 0; at < virtualSize; at += windowBytes) yield { at, length: Math.min(windowBytes, virtualSize - at) };
}

async function packedBytes({ layer }: Link, { at, host, hostLength, length }: Span): Promise<Uint8Array> {
  const cluster = new Uint8Array(2 ** layer.header.clusterBits);
  unpack(layer.header, await layer.source.read(host, Math.min(hostLength, layer.source.size - host)), cluster);
  const within = at % cluster.length;
  return cluster.subarray(within, within + length);
}

/** The bytes of a span that has some; what lies behind `cut` is zero. */
async function spanBytes({ links }: Stack, span: Span): Promise<Uint8Array> {
  const link = links[span.layer] as Link;
  const bytes =
    span.kind === 'data' ? await link.layer.source.read(span.host, span.length) : await packedBytes(link, span);
  if (span.cut === null) return bytes;
  const own = new Uint8Array(span.length);
  own.set(bytes.subarray(0, span.cut));
  return own;
}

export const hasBytes = ({ kind }: Span): boolean => kind === 'data' || kind === 'compressed';

/** The guest's bytes of a range; what follows the end of the guest is zero. */
export async function readGuest(stack: Stack, { at, length }: Range): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for await (const span of spans(stack, { at, length: Math.min(length, stack.virtualSize - at) }))
    if (hasBytes(span)) bytes.set(await spanBytes(stack, span), span.at - at);
  return bytes;
}

/** Whether whole clusters of the file are what the guest sees, so that their digests are the guest's. */
export function isWhole({ links, virtualSize }: Stack, { at, length, cut, layer, kind }: Span): boolean {
  if (kind !== 'data' || cut !== null || at % clusterSize !== 0) return false;
  const link = links[layer] as Link;
  const ends = (at + length) % clusterSize === 0 || link.layer.header.size === virtualSize;
  return link.digests !== null && ends;
}

/** Digests of the clusters that a span lies in, by reading what they hold. */
async function readDigests(stack: Stack, { at, length }: Range): Promise<Uint8Array> {
  const whole = clustersOf(length) * clusterSize;
  const list: Uint8Array[] = [];
  for (let done = 0; done < whole; done += longestRun)
    list.push(...chunkDigests(await readGuest(stack, { at: at + done, length: Math.min(longestRun, whole - done) })));
  return Buffer.concat(list);
}

const down = (at: number): number => Math.floor(at / clusterSize) * clusterSize;

/** The digests of a window's clusters, not to be written to: those of the winners' lists, or of what loose files hold. */
export async function windowDigests(stack: Stack, window: Range): Promise<Uint8Array> {
  let list: Uint8Array | null = null;
  let read = window.at;
  for await (const span of spans(stack, window)) {
    if (!hasBytes(span)) continue;
    const start = Math.max(read, down(span.at));
    const length = span.at + span.length - start;
    if (length <= 0) continue;
    const digests = isWhole(stack, span)
      ? await stack.links[span.layer]?.digests?.read(span.host / clusterSize, clustersOf(span.length))
      : await readDigests(stack, { at: start, length });
    list ??= zeroDigests(clustersOf(window.length));
    list.set(digests ?? [], ((start - window.at) / clusterSize) * digestBytes);
    if (stack.links[span.layer]?.digests === null) read = start + clustersOf(length) * clusterSize;
  }
  return list ?? zeroRun(clustersOf(window.length));
}

/** The content digest of what the chain composes to, without reading data where there are digests (spec 2.4). */
export async function contentOf(stack: Stack): Promise<string> {
  const content = new ContentDigest(stack.virtualSize);
  for (const window of windows(stack.virtualSize))
    content.add(window.at / clusterSize, await windowDigests(stack, window));
  return content.hex();
}

async function pieceOf(stack: Stack, span: Span): Promise<Piece> {
  const { held, digests, unchecked = false } = stack.links[span.layer] as Link;
  const { at, length } = span;
  if (span.kind !== 'data' || span.cut !== null)
    return { from: { bytes: await spanBytes(stack, span) }, at, length, sha256: null };
  const sha256 = unchecked ? null : ((await digests?.read(span.host / clusterSize, clustersOf(length))) ?? null);
  return { from: { held, at: span.host }, at, length, sha256 };
}

/** What has to be written so that a target holds a range: a piece for each run of data, and for each run of zeros. */
export async function* pieces(stack: Stack, range: Range): AsyncGenerator<Piece> {
  for await (const span of spans(stack, range, longestRun)) {
    if (hasBytes(span)) yield await pieceOf(stack, span);
    else yield { from: 'zeros', at: span.at, length: span.length, sha256: null };
  }
}
