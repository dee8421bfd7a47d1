import type { Host } from './door.ts';
import { compareMaps, type ExtentTable, inOrder, stored, total, widen, zerosIn } from './extents.ts';
import { Failure } from './failure.ts';
import type { Held } from './hold.ts';
import { fill, space } from './looks.ts';
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
  /** Called before so many bytes are read of each file, for a meter of them. */
  meter?: (bytes: number) => Meter;
}

/** Somebody who is told how far it is. */
export interface Meter {
  update(done: number): void;
  end(): void;
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

type Settled = Required<Omit<DifferOptions, 'timeout' | 'meter'>> & Pick<DifferOptions, 'timeout' | 'meter'>;

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
  const reader = { ...pair, host, align: options.align, meter: options.meter };
  return comparable && maps !== null ? byExtents(reader, maps, options) : byContent(reader, maps, options);
}

async function sharing(host: Host, { from, to }: Pair): Promise<boolean> {
  if (from.dev !== to.dev) return false;
  const { type } = await host.query(space(`/proc/self/fd/${from.fd}`));
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

/** A pair with what it takes to read it. */
type Reader = Pair & { host: Host; align: number; meter: DifferOptions['meter'] | undefined };

/** What `to` has beyond the end of `from`. */
const tail = ({ from, to }: Pair): Range[] =>
  to.size > from.size ? [{ at: from.size, length: to.size - from.size }] : [];

async function byExtents(pair: Reader, maps: Maps, { align, exact, method }: Settled): Promise<Difference> {
  const common = Math.min(pair.from.size, pair.to.size);
  const found = [...compareMaps(maps.from, maps.to, common)];
  const unknown = found.filter((range) => range.unknown);
  const told = found.filter((range) => !range.unknown);
  const read = await unequal(pair, widen(unknown, align, common));
  const ranges = widen(inOrder([...told, ...read, ...tail(pair)]), align, pair.to.size);
  const reread = exact || (method === 'auto' && total(ranges) > pair.to.size / 2);
  const kept = reread ? await candidates(pair, ranges) : ranges;
  const zeros = zerosIn(kept, maps.to, { align, size: pair.to.size });
  return { method: reread || unknown.length > 0 ? 'mixed' : 'extents', ranges: kept, zeros };
}

async function byContent(pair: Reader, maps: Maps | null, { align }: Settled): Promise<Difference> {
  const [common, size] = [Math.min(pair.from.size, pair.to.size), pair.to.size];
  const places = maps === null ? [{ at: 0, length: common }] : stored(maps.from, maps.to, common);
  const read = await unequal(pair, widen(places, align, common));
  const ranges = widen([...read, ...tail(pair)], align, size);
  return { method: 'content', ranges, zeros: maps === null ? [] : zerosIn(ranges, maps.to, { align, size }) };
}

/** The blocks of ranges that really differ, what lies beyond the shorter file included. */
async function candidates(pair: Reader, ranges: readonly Range[]): Promise<Range[]> {
  const common = Math.min(pair.from.size, pair.to.size);
  const inside = ranges
    .map(({ at, length }) => ({ at, length: Math.min(length, common - at) }))
    .filter(({ length }) => length > 0);
  return widen([...(await unequal(pair, inside)), ...tail(pair)], pair.align, pair.to.size);
}

/** Reads both files over aligned ranges, a mebibyte at a time, and names the blocks whose bytes differ. */
async function unequal({ host, from, to, align, meter }: Reader, ranges: readonly Range[]): Promise<Range[]> {
  const blocks: Range[] = [];
  const step = Math.max(chunk, align);
  const [left, right] = [Buffer.allocUnsafeSlow(step), Buffer.allocUnsafeSlow(step)];
  const told = ranges.length === 0 ? undefined : meter?.(total(ranges));
  let done = 0;
  try {
    for (const { at, length } of pieces(ranges, step)) {
      const [a, b] = [left.subarray(0, length), right.subarray(0, length)];
      await Promise.all([host.query(fill(from, a, at)), host.query(fill(to, b, at))]);
      blocks.push(...unequalBlocks(a, b, align).map(moved(at)));
      done += length;
      told?.update(done);
    }
  } finally {
    told?.end();
  }
  return widen(blocks, align, Math.min(from.size, to.size));
}

function* pieces(ranges: readonly Range[], step: number): Generator<Range> {
  for (const { at: start, length } of ranges)
    for (let at = start; at < start + length; at += step) yield { at, length: Math.min(step, start + length - at) };
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
