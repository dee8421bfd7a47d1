import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { hold, realpath, stat } from '@platter/host/looks';
import { type Slab as SipSlab, sip } from '@platter/host/sip';
import { fileLocks, writtenByQemu } from '@platter/host/tools/proc-locks';
import { type Bitmap, bitmaps } from '@platter/qcow2/bitmaps';
import { type Finding as ImageFinding, Refused } from '@platter/qcow2/finding';
import { NotQcow2, parseHeader } from '@platter/qcow2/header';
import { judge } from '@platter/qcow2/judge';
import { layerOf } from '@platter/qcow2/open';
import { chunkDigests, clustersOf, sameDigest, zeroDigest } from './digest.ts';
import type { Identity } from './engine.ts';
import { clusterSize } from './layout.ts';
import { hasBytes, type Link, type Range, readGuest, type Stack, spans, stackOf } from './stack.ts';

/** A disk to capture, held open: what it is, and its content as a guest sees it. */
export interface Origin {
  path: string;
  held: Held;
  format: 'raw' | 'qcow2';
  /** Guest bytes. */
  size: number;
  identity: Identity;
  /** The image of a qcow2 source. */
  stack: Stack | null;
  /** What the image itself marks of what is written to it. */
  bitmaps: readonly Bitmap[];
}

/** Clusters of a source, in order; good until the next are asked for. */
export type Slab = Omit<SipSlab, 'direct'>;

/** What a held file was when it was opened. */
export const identityOf = ({ ino, birthNs, mtimeNs, size }: Held): Identity => ({
  ino: String(ino),
  birthNs: String(birthNs),
  mtimeNs: String(mtimeNs),
  size,
});

function refuseImage(path: string, findings: readonly ImageFinding[]): void {
  const bad = findings.filter(({ verdict, rule }) => verdict !== 'warn' || rule === 'Q11');
  if (bad.length === 0) return;
  const corrupt = bad.some(({ verdict }) => verdict === 'corrupt');
  const by = bad.map(({ message, rule }) => `${message} (${rule})`).join('; ');
  const hint = 'qemu-img convert it to a standalone image first, if you trust it';
  throw new Failure(corrupt ? 'corrupt' : 'refused', `will not capture ${path}`, {
    details: { by },
    ...(corrupt ? {} : { hint }),
  });
}

/** The image in a file that begins like qcow2; null for any other content. */
async function imageIn(path: string, held: Held): Promise<Link | null> {
  const bytes = source(held);
  try {
    const header = await parseHeader(bytes);
    refuseImage(path, judge(header, 'attach'));
    return { name: path, held, layer: await layerOf(bytes, header), digests: null };
  } catch (error) {
    if (error instanceof NotQcow2) return null;
    if (error instanceof Refused) refuseImage(path, error.findings);
    throw error;
  }
}

/** The bitmaps of an image; it is refused where they break rules, for QEMU would open them. */
async function bitmapsOf(path: string, { layer }: Link): Promise<Bitmap[]> {
  try {
    return await bitmaps(layer);
  } catch (error) {
    if (error instanceof Refused) refuseImage(path, error.findings);
    throw error;
  }
}

function rawSize(path: string, { kind, size }: Held, declared: boolean): number {
  if (kind === 'file' && !declared)
    throw new Failure('refused', `will not capture ${path}: it is not qcow2, and nothing says it is a raw image`, {
      hint: '--format raw, if it is one',
    });
  if (size > 0 && size % 512 === 0) return size;
  throw new Failure('refused', `will not capture ${path}: its size of ${size} bytes is no positive multiple of 512`);
}

async function refuseWritten(host: Host, path: string, { ino }: Held): Promise<void> {
  if (!writtenByQemu(await fileLocks(host), ino)) return;
  throw new Failure('busy', `will not capture ${path}: QEMU has it open for writing`, {
    hint: 'capture a snapshot of it, or stop the machine first',
  });
}

/** Opens a source and judges its state (spec 3.2); `format` is what was said, null when nothing was. */
export async function openOrigin(host: Host, said: string, format: 'raw' | 'qcow2' | null): Promise<Origin> {
  const path = await host.query(realpath(said));
  if (path === null) throw new Failure('refused', `${said} does not exist`);
  const exclusive = (await host.query(stat(path)))?.kind === 'block';
  const held = await host.query(hold(path, { exclusive }));
  await refuseWritten(host, path, held);
  const image = format === 'raw' ? null : await imageIn(path, held);
  if (format === 'qcow2' && image === null) throw new Failure('refused', `will not capture ${path}: it is not qcow2`);
  const origin = { path, held, identity: identityOf(held) };
  const marks = image === null ? [] : await bitmapsOf(path, image);
  if (image === null)
    return { ...origin, format: 'raw', size: rawSize(path, held, format === 'raw'), stack: null, bitmaps: [] };
  return { ...origin, format: 'qcow2', size: image.layer.header.size, stack: stackOf([image]), bitmaps: marks };
}

/** The ranges of a qcow2 source that have bytes; null for a raw one, of which nothing is known. */
export async function* dataOf(stack: Stack): AsyncGenerator<Range> {
  for await (const span of spans(stack, { at: 0, length: stack.virtualSize })) if (hasBytes(span)) yield span;
}

const step = 4 * 1024 * 1024;

async function* imageSlabs(stack: Stack, ranges: Iterable<Range>): AsyncGenerator<Slab> {
  for (const { at, length } of ranges)
    for (let done = 0; done < length; done += step) {
      const part = clustersOf(Math.min(step, length - done));
      const bytes = await readGuest(stack, { at: at + done, length: part * clusterSize });
      const digests = chunkDigests(bytes);
      const offsets = Float64Array.from(digests, (_, n) => at + done + n * clusterSize);
      const zero = Uint8Array.from(digests, (digest) => (sameDigest(digest, zeroDigest) ? 1 : 0));
      yield { count: part, at: offsets, bytes, sha256: Buffer.concat(digests), zero };
    }
}

/** Reads ranges of the guest's content, ascending and in whole clusters. */
export function read({ held, stack }: Origin, ranges: Iterable<Range>, workers: number): AsyncIterable<Slab> {
  return stack === null ? sip(held, { ranges, workers }) : imageSlabs(stack, ranges);
}
