import type { Host } from './door.ts';
import { compareMaps, type ExtentTable, stored, total, widen, zerosIn } from './extents.ts';
import { Failure } from './failure.ts';
import { type Held, source } from './hold.ts';
import { space } from './looks.ts';
import type { Range } from './slabs.ts';
import { extentsOf } from './tools/filefrag.ts';
import { isRealtime } from './tools/xfs-io.ts';

/** Two files that nobody writes, held open. */
export interface Pair {
  from: Held;
  to: Held;
}

export interface DifferOptions {
  /** Ranges are whole blocks of so many bytes: a power of two. 64 KiB unless given. */
  align?: number;
  /** Reads the candidates and drops the blocks that are equal. */
  exact?: boolean;
  /** `auto` compares extents where the filesystem shares them, and reads when that tells too little. */
  method?: 'auto' | 'extents' | 'content';
  /** Milliseconds for each look at a file's extents. */
  timeout?: number;
}

/** Where `to` may differ from `from`: every differing byte lies in `ranges`; `zeros` are blocks of them not stored in `to`. */
export interface Difference {
  method: 'same' | 'extents' | 'content' | 'mixed';
  ranges: Range[];
  zeros: Range[];
}

interface Maps {
  from: ExtentTable;
  to: ExtentTable;
}

type Settled = Required<Omit<DifferOptions, 'timeout'>> & { timeout?: number };

/** statfs(2) magic numbers of the filesystems whose extents tell what two files share. */
const xfs = 0x58465342;
const btrfs = 0x9123683e;
const chunk = 1024 * 1024;

/** Compares two open files of one filesystem by their shared extents, or by content. Failure busy when one was written meanwhile. */
export async function differ(host: Host, pair: Pair, options: DifferOptions = {}): Promise<Difference> {
  const settled = { align: 65_536, exact: false, method: 'auto' as const, ...options };
  const { from, to } = pair;
  if (from.dev === to.dev && from.ino === to.ino) return { method: 'same', ranges: [], zeros: [] };
  const difference = await differing(host, pair, settled);
  for (const held of [from, to])
    if (!held.same()) throw new Failure('busy', `${held.path} was written while it was compared`);
  return difference;
}

async function differing(host: Host, pair: Pair, options: Settled): Promise<Difference> {
  const comparable = options.method === 'content' ? false : await sharing(host, pair);
  if (options.method === 'extents' && !comparable)
    throw new Failure('unsupported', `the extents of ${pair.from.path} and ${pair.to.path} cannot be compared`, {
      hint: '--method content',
    });
  const maps = await mapsOf(host, pair, options);
  if (maps === null && options.method === 'extents')
    throw new Failure('failed', `could not tell the extents of ${pair.from.path}: they do not hold still`);
  return comparable && maps !== null ? byExtents(pair, maps, options) : byContent(pair, maps, options);
}

async function sharing(host: Host, { from, to }: Pair): Promise<boolean> {
  if (from.dev !== to.dev) return false;
  const { type } = await host.query(space(from.path));
  if (type !== xfs) return type === btrfs;
  return !(await isRealtime(host, from)) && !(await isRealtime(host, to));
}

/** The maps of both, where the first stayed the same around the second; null when it did not twice, or cannot be told. */
async function mapsOf(host: Host, { from, to }: Pair, { timeout }: Settled): Promise<Maps | null> {
  const map = (held: Held) => extentsOf(host, held, timeout === undefined ? {} : { timeout });
  try {
    let before = await map(from);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const other = await map(to);
      const after = await map(from);
      if (after.equals(before)) return { from: after, to: other };
      before = after;
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'failed') throw error;
  }
  return null;
}

/** What `to` has beyond the end of `from`. */
const tail = ({ from, to }: Pair): Range[] =>
  to.size > from.size ? [{ at: from.size, length: to.size - from.size }] : [];

async function byExtents(pair: Pair, maps: Maps, { align, exact, method }: Settled): Promise<Difference> {
  const common = Math.min(pair.from.size, pair.to.size);
  const found = [...compareMaps(maps.from, maps.to, common)];
  const unknown = found.filter((range) => range.unknown);
  const told = found.filter((range) => !range.unknown);
  const read = await unequal(pair, widen(unknown, align, common), align);
  const ranges = widen([...told, ...read, ...tail(pair)], align, pair.to.size);
  const reread = exact || (method === 'auto' && total(ranges) > pair.to.size / 2);
  const kept = reread ? await candidates(pair, ranges, align) : ranges;
  const zeros = zerosIn(kept, maps.to, { align, size: pair.to.size });
  return { method: reread || unknown.length > 0 ? 'mixed' : 'extents', ranges: kept, zeros };
}

async function byContent(pair: Pair, maps: Maps | null, { align }: Settled): Promise<Difference> {
  const [common, size] = [Math.min(pair.from.size, pair.to.size), pair.to.size];
  const places = maps === null ? [{ at: 0, length: common }] : stored(maps.from, maps.to, common);
  const read = await unequal(pair, widen(places, align, common), align);
  const ranges = widen([...read, ...tail(pair)], align, size);
  return { method: 'content', ranges, zeros: maps === null ? [] : zerosIn(ranges, maps.to, { align, size }) };
}

/** The blocks of ranges that really differ, what lies beyond the shorter file included. */
async function candidates(pair: Pair, ranges: readonly Range[], align: number): Promise<Range[]> {
  const common = Math.min(pair.from.size, pair.to.size);
  const inside = ranges.map(({ at, length }) => ({ at, length: Math.min(length, common - at) }));
  return widen([...(await unequal(pair, inside, align)), ...tail(pair)], align, pair.to.size);
}

/** Reads both files over aligned ranges, a mebibyte at a time, and names the blocks whose bytes differ. */
async function unequal({ from, to }: Pair, ranges: readonly Range[], align: number): Promise<Range[]> {
  const [left, right] = [source(from), source(to)];
  const blocks: Range[] = [];
  const step = Math.max(chunk, align);
  for (const { at: start, length } of ranges)
    for (let at = start; at < start + length; at += step) {
      const part = Math.min(step, start + length - at);
      const [a, b] = [await left.read(at, part), await right.read(at, part)];
      blocks.push(...unequalBlocks(Buffer.from(a.buffer), Buffer.from(b.buffer), align).map(moved(at)));
    }
  return widen(blocks, align, Math.min(from.size, to.size));
}

const moved = (by: number) => (range: Range) => ({ at: range.at + by, length: range.length });

function unequalBlocks(a: Buffer, b: Buffer, align: number): Range[] {
  if (a.equals(b)) return [];
  const blocks: Range[] = [];
  for (let at = 0; at < a.length; at += align) {
    const length = Math.min(align, a.length - at);
    if (a.compare(b, at, at + length, at, at + length) !== 0) blocks.push({ at, length });
  }
  return blocks;
}
