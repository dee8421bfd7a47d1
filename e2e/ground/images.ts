import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';

/** A small deterministic generator (mulberry32): the same seed gives the same images. */
export function dice(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, pick: <T>(of: readonly T[]): T => of[below(of.length)] as T };
}
export type Dice = ReturnType<typeof dice>;

/** Runs a QEMU program, which must end with 0; gives its stdout. */
export const qemu = (program: 'qemu-img' | 'qemu-io', words: readonly string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 });

/** How a qcow2 image is laid out. */
export interface Style {
  clusterBits: number;
  extended: boolean;
  zstd: boolean;
  version2: boolean;
  order: number;
  preallocated: boolean;
}

/** Any layout that qemu-img can make. */
export function style(roll: Dice): Style {
  const clusterBits = roll.pick([9, 10, 12, 14, 16, 16, 16, 18, 21]);
  const version2 = roll.below(8) === 0;
  const extended = !version2 && clusterBits >= 14 && roll.below(3) === 0;
  const preallocated = roll.below(10) === 0;
  const order = version2 ? 4 : roll.pick([0, 1, 2, 3, 4, 4, 5, 6]);
  return {
    clusterBits,
    extended,
    zstd: !version2 && roll.below(3) === 0,
    version2,
    order: extended ? 4 : order,
    preallocated,
  };
}

/** An image that is not there yet; over a backing file if one is named. */
interface Blank {
  size: number;
  how: Style;
  backing?: string | undefined;
}

/** Makes an empty image. */
export function create(file: string, { size, how, backing }: Blank): void {
  const options = [`cluster_size=${2 ** how.clusterBits}`, `compat=${how.version2 ? '0.10' : '1.1'}`];
  if (how.extended) options.push('extended_l2=on');
  if (how.zstd) options.push('compression_type=zstd');
  if (!how.version2) options.push(`refcount_bits=${2 ** how.order}`);
  if (how.preallocated) options.push('preallocation=metadata');
  const over = backing === undefined ? [] : ['-b', backing, '-F', 'qcow2'];
  qemu('qemu-img', ['create', '-q', '-f', 'qcow2', ...over, '-o', options.join(','), '--', file, String(size)]);
}

/** What is written to: its size, its layout (of a raw file null), and whether a discard frees what it can. */
export interface Sheet {
  size: number;
  how: Style | null;
  unmap: boolean;
  /** Its clusters that were written before. */
  used?: Set<number>;
}

/** One word for qemu-io; compressed writes are single whole clusters that nobody wrote before. */
function scribble(roll: Dice, { size, how, used }: Required<Sheet>): string[] {
  const cluster = 2 ** (how?.clusterBits ?? 16);
  const at = 512 * roll.below(size / 512);
  const length = Math.min(size - at, 512 * (1 + roll.below(Math.min(600, (4 * cluster) / 512))));
  const clusters = Math.floor(size / cluster);
  const own = roll.below(Math.max(1, clusters));
  const kind = roll.below(8);
  if (kind < 2 && clusters > 0 && !used.has(own) && how !== null && !how.preallocated && how.order > 1) {
    used.add(own);
    return ['-c', `write -q -c -P ${1 + roll.below(255)} ${own * cluster} ${cluster}`];
  }
  for (let index = Math.floor(at / cluster); index * cluster < at + length; index++) used.add(index);
  if (kind < 5) return ['-c', `write -q -P ${1 + roll.below(255)} ${at} ${length}`];
  if (kind === 5) return ['-c', `write -q -z ${at} ${length}`];
  if (kind === 6) return ['-c', `write -q -z -u ${at} ${length}`];
  return ['-c', `discard -q ${at} ${length}`];
}

/** Writes, zeroes and discards here and there. */
export function scribbles(roll: Dice, file: string, sheet: Sheet): void {
  const all = { used: new Set<number>(), ...sheet };
  const words = Array.from({ length: 1 + roll.below(14) }, () => scribble(roll, all)).flat();
  const discard = sheet.unmap ? ['-d', 'unmap'] : [];
  qemu('qemu-io', ['-f', sheet.how === null ? 'raw' : 'qcow2', ...discard, ...words, file]);
}

/** What a guest sees of an image, by QEMU. */
export function rawOf(file: string): Uint8Array {
  const raw = `${file}.raw`;
  qemu('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', file, raw]);
  const bytes = readFileSync(raw);
  rmSync(raw);
  return bytes;
}

/** The exit code of `qemu-img check`: 0 sound, 2 corrupt, 3 leaks. */
export function checkCode(file: string): number {
  try {
    qemu('qemu-img', ['check', '-q', '-f', 'qcow2', file]);
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
}

/** The first difference, instead of a dump of megabytes; -1 when there is none. */
export function difference(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) return Math.min(one.length, other.length);
  return Buffer.compare(one, other) === 0 ? -1 : one.findIndex((byte, index) => byte !== other[index]);
}
