import { hasBit, u64, viewOf } from './bits.ts';
import { EXTENSION } from './extensions.ts';
import { type Finding, Refused } from './finding.ts';
import type { Layer } from './open.ts';
import { shapeOf } from './shape.ts';
import { escapeText } from './text.ts';

/** A persistent dirty bitmap of an image. `inUse`: its last writer did not close it, so what it says is not true. */
export interface Bitmap {
  /** Escaped. */
  name: string;
  /** Guest bytes of one bit. */
  granularity: number;
  inUse: boolean;
  enabled: boolean;
}

interface Entry extends Bitmap {
  table: { at: number; entries: number };
}

/** A directory of so many bytes is read; QEMU's own with the longest names holds some 4000 bitmaps in it. */
const MOST_DIRECTORY = 4 * 2 ** 20;
/** QEMU's limit on the bytes of one bitmap's data (block/qcow2-bitmap.c). */
const MOST_DATA = 2 ** 29;
const FIXED = 24;
const SLAB = 2 ** 16;

function broken(field: string, at: number, message: string): Refused {
  const finding: Finding = { rule: 'bitmaps', verdict: 'corrupt', field, at, value: '', message };
  return new Refused([finding]);
}

/** Bytes that must lie in the file, `what` at a cluster. */
async function bytesAt({ source }: Layer, at: number, length: number): Promise<Uint8Array> {
  if (at >= 0 && at + length <= source.size) return source.read(at, length);
  throw broken('bitmaps', at, 'the bitmaps lie outside the file');
}

/** Count, size and place of the directory; null where there is none that is valid (qcow2 spec, Bitmaps extension). */
async function directoryOf(layer: Layer): Promise<{ count: number; bytes: Uint8Array } | null> {
  const { header } = layer;
  const extension = header.extensions.find(({ type }) => type === EXTENSION.bitmaps);
  if (extension === undefined || !hasBit(header.autoclear, 0)) return null;
  if (extension.length !== FIXED) throw broken('bitmaps extension', extension.at, 'the extension is not 24 bytes long');
  const view = viewOf(await bytesAt(layer, extension.at, FIXED));
  const [count, size, at] = [view.getUint32(0), u64(view, 8), u64(view, 16)];
  if (!(count * (FIXED + 1) <= size && size <= MOST_DIRECTORY && at % shapeOf(header).clusterSize === 0))
    throw broken('bitmap directory', extension.at, 'the directory of bitmaps cannot be right');
  return { count, bytes: await bytesAt(layer, at, size) };
}

/** One entry of the directory and where the next begins (qcow2 spec, Bitmap directory). */
function entryAt(layer: Layer, bytes: Uint8Array, from: number): { entry: Entry; next: number } {
  const view = viewOf(bytes);
  const wrong = (message: string) => broken('bitmap directory entry', from, message);
  if (from + FIXED > bytes.length) throw wrong('the directory of bitmaps ends too early');
  const [flags, type, bits] = [view.getUint32(from + 12), view.getUint8(from + 16), view.getUint8(from + 17)];
  const [length, extra] = [view.getUint16(from + 18), view.getUint32(from + 20)];
  const name = from + FIXED + extra;
  const next = Math.ceil((name + length) / 8) * 8;
  if (next > bytes.length || length === 0 || length > 1023) throw wrong('the name of a bitmap does not fit');
  if (extra !== 0 || type !== 1 || flags > 3 || bits < 9 || bits > 31) throw wrong('a bitmap is of an unknown kind');
  const table = { at: u64(view, from), entries: view.getUint32(from + 8) };
  const { clusterSize } = shapeOf(layer.header);
  if (!(table.at > 0 && table.at % clusterSize === 0 && table.entries * clusterSize <= MOST_DATA))
    throw wrong('the table of a bitmap is out of place');
  const own = { inUse: (flags & 1) !== 0, enabled: (flags & 2) !== 0, granularity: 2 ** bits };
  return { entry: { name: escapeText(bytes.subarray(name, name + length), 4096), ...own, table }, next };
}

async function entriesOf(layer: Layer): Promise<Entry[]> {
  const directory = await directoryOf(layer);
  const found: Entry[] = [];
  for (let n = 0, at = 0; directory !== null && n < directory.count; n += 1) {
    const { entry, next } = entryAt(layer, directory.bytes, at);
    found.push(entry);
    at = next;
  }
  return found;
}

/** The persistent bitmaps of an image; none where they are not valid (autoclear bit 0). Rejects `Refused`. */
export async function bitmaps(layer: Layer): Promise<Bitmap[]> {
  return (await entriesOf(layer)).map(({ table: _, ...own }) => own);
}

/** Bytes of the data a bitmap must have: one bit for each granule, in words of 64 (QEMU's serialization). */
const dataBytes = (size: number, granularity: number): number => Math.ceil(Math.ceil(size / granularity) / 64) * 8;

/** Runs of one value in the bits of some bytes, `from` being the number of the first bit. */
function* runsOf(bytes: Uint8Array, from: number): Generator<{ set: boolean; first: number; end: number }> {
  let [set, first] = [false, from];
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    if (byte === (set ? 0xff : 0)) continue;
    for (let bit = 0; bit < 8; bit += 1) {
      if (((byte >>> bit) & 1) === Number(set)) continue;
      const here = from + index * 8 + bit;
      if (here > first) yield { set, first, end: here };
      [set, first] = [!set, here];
    }
  }
  yield { set, first, end: from + bytes.length * 8 };
}

/** What one entry of a bitmap's table says of its bits (qcow2 spec, Bitmap table). */
async function* bitsOf(layer: Layer, raw: DataView, { first, end }: { first: number; end: number }) {
  const [hi, lo] = [raw.getUint32(0), raw.getUint32(4)];
  const at = (hi & 0x00ffffff) * 2 ** 32 + ((lo & ~0x1ff) >>> 0);
  const { clusterSize } = shapeOf(layer.header);
  if (hi >>> 24 !== 0 || (lo & 0x1fe) !== 0 || at % clusterSize !== 0 || (at !== 0 && (lo & 1) !== 0))
    throw broken('bitmap table entry', at, 'an entry of the table of a bitmap cannot be right');
  if (at === 0) yield { set: (lo & 1) === 1, first, end };
  else yield* runsOf(await bytesAt(layer, at, Math.min(clusterSize, (end - first) / 8)), first);
}

/** All runs of bits of a bitmap, ascending, one table entry after the other. */
async function* allBits(layer: Layer, { table, granularity }: Entry) {
  const { clusterSize } = shapeOf(layer.header);
  const bytes = dataBytes(layer.header.size, granularity);
  if (table.entries !== Math.ceil(bytes / clusterSize))
    throw broken('bitmap table', table.at, 'the table of a bitmap is not as long as the disk asks for');
  for (let from = 0; from < table.entries; from += SLAB / 8) {
    const view = viewOf(await bytesAt(layer, table.at + from * 8, Math.min(SLAB, (table.entries - from) * 8)));
    for (let n = 0; n < view.byteLength / 8; n += 1) {
      const first = (from + n) * clusterSize * 8;
      const raw = new DataView(view.buffer, view.byteOffset + n * 8, 8);
      yield* bitsOf(layer, raw, { first, end: Math.min(first + clusterSize * 8, bytes * 8) });
    }
  }
}

/**
 * The guest ranges that a bitmap marks, ascending and joined. A bitmap that is not there, is in use, or breaks a rule
 * rejects `Refused`. Memory: the directory, one slab of the table and one cluster.
 */
export async function* dirty(layer: Layer, name: string): AsyncGenerator<{ at: number; length: number }> {
  const entry = (await entriesOf(layer)).find((one) => one.name === name);
  if (entry === undefined || entry.inUse)
    throw broken('bitmaps', 0, entry === undefined ? 'there is no such bitmap' : 'the bitmap was not closed');
  const { size } = layer.header;
  let [at, end] = [0, 0];
  for await (const run of allBits(layer, entry)) {
    const from = run.first * entry.granularity;
    if (!run.set || from >= size) continue;
    if (from > end && end > at) yield { at, length: end - at };
    if (from > end) at = from;
    end = Math.min(run.end * entry.granularity, size);
  }
  if (end > at) yield { at, length: end - at };
}
