import type { Host, Output, Program } from '../door.ts';
import { Failure } from '../failure.ts';
import type { Held } from '../hold.ts';
import { run } from '../looks.ts';
import { must } from '../outcome.ts';

/** How long qemu-img may show no progress before it is killed, in ms. */
const stall = 300_000;
/** Address space that qemu-img may use on an image we did not make, in bytes. */
const addressSpace = 4 * 1024 ** 3;

export type DiskFormat = 'qcow2' | 'raw';

/** Bytes of the guest's content; only these are seen. */
export interface Part {
  at: number;
  length: number;
}

/**
 * An image for QEMU: by its path where we made it ourselves, else as a tree of block nodes over descriptors that our
 * own parsers have judged, in which `/proc/self/fd/3` is the first of `held`.
 */
export type Image = { path: string; format: DiskFormat } | { node: object; held: readonly Held[] };

/** One judged image without a backing file, whatever its header says (qemu-img(1), json: pseudo-protocol). */
export function heldImage(held: Held, format: DiskFormat, part?: Part): Image {
  const file = { driver: held.kind === 'block' ? 'host_device' : 'file', filename: '/proc/self/fd/3' };
  const whole = format === 'raw' ? { driver: 'raw', file } : { driver: 'qcow2', backing: null, file };
  const node = part === undefined ? whole : { driver: 'raw', offset: part.at, size: part.length, file: whole };
  return { node, held: [held] };
}

const operand = (image: Image) => ('path' in image ? image.path : `json:${JSON.stringify(image.node)}`);
const formatWords = (image: Image) => ('path' in image ? ['-f', image.format] : []);

/** qemu-img over an image; one that we did not make is read with little memory, its descriptors pinned meanwhile. */
async function over<T>(image: Image, words: readonly string[], work: (program: Program) => Promise<T>): Promise<T> {
  if ('path' in image) return work(run('qemu-img', words));
  const unpins = image.held.map((held) => held.pin());
  try {
    const inherit = image.held.map(({ fd }) => fd);
    return await work(run('prlimit', [`--as=${addressSpace}`, '--', 'qemu-img', ...words], { inherit }));
  } finally {
    for (const unpin of unpins) unpin();
  }
}

/** Hands on `(12.00/100%)` of `qemu-img -p` as 0..1, however the pipe splits it. */
export function progressReader(report: (share: number) => void): (chunk: string) => undefined {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split('\r');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const percent = /\((\d+\.\d+)\/100%\)/.exec(part)?.[1];
      if (percent !== undefined) report(Number(percent) / 100);
    }
  };
}

export interface Conversion {
  from: Image;
  /** Absolute; an existing file keeps its inode and mode. */
  to: string;
  as: DiskFormat;
  /** More words for convert, such as `-n`. */
  words?: readonly string[];
  progress?: (share: number) => void;
}

const layouts: Record<DiskFormat, readonly string[]> = {
  qcow2: ['-o', 'compat=1.1,cluster_size=65536,lazy_refcounts=off'],
  raw: [],
};

/**
 * Copies guest content into another image. It makes nothing durable, and a kill leaves a target that only looks whole.
 * A full disk and every other ending but 0 is Failure failed.
 */
export async function convert(
  host: Host,
  { from, to, as, words = [], progress = () => {} }: Conversion,
): Promise<void> {
  const all = ['convert', '-p', ...words, ...formatWords(from), '-O', as, ...layouts[as], operand(from), to];
  await over(from, all, async (bare) => {
    const program = { ...bare, stall, watch: progressReader(progress) };
    const output = await host.change(program);
    if (output.stderr.includes('No space left')) throw full(to);
    must(named(program), output);
  });
}

/** For a message: what failed is qemu-img, and not what limits it. */
const named = (program: Program): Program => ({ ...program, program: 'qemu-img' });

const full = (path: string) =>
  new Failure('failed', `could not write ${path}: no space left on device`, {
    hint: 'free some space, then run this again',
    cause: { code: 'ENOSPC' },
  });

/** What `qemu-img check` found. `leaks` waste space and harm nothing; `unchecked`: the format has no check. */
export interface CheckResult {
  verdict: 'clean' | 'leaks' | 'corrupt' | 'unchecked';
  corruptions: number;
  leaks: number;
}

const verdicts: Record<number, CheckResult['verdict']> = { 0: 'clean', 2: 'corrupt', 3: 'leaks', 63: 'unchecked' };

/** Reads the output of `qemu-img check --output=json`; exit 1 and every unknown ending is Failure failed. */
export function parseCheck(program: Program, output: Output): CheckResult {
  const verdict = output.code === null ? undefined : verdicts[output.code];
  if (verdict === undefined) must(named(program), output);
  const { corruptions, leaks } = countsOf(output.stdout);
  return { verdict: verdict ?? 'unchecked', corruptions, leaks };
}

/** Fields that are missing are 0: qemu-img leaves out what it did not find. */
function countsOf(stdout: string): { corruptions: number; leaks: number } {
  try {
    const said = JSON.parse(stdout) as { corruptions?: unknown; leaks?: unknown };
    return { corruptions: Number(said.corruptions ?? 0), leaks: Number(said.leaks ?? 0) };
  } catch {
    return { corruptions: 0, leaks: 0 };
  }
}

/** Checks refcounts and tables, read-only. */
export async function check(host: Host, image: Image): Promise<CheckResult> {
  return over(image, ['check', '--output=json', ...formatWords(image), operand(image)], async (bare) => {
    const program = { ...bare, timeout: 3_600_000 };
    return parseCheck(program, await host.query(program));
  });
}

/**
 * Whether two trees of block nodes over descriptors 3, 4, ... of `held` read the same; where one is longer, the rest of
 * it must be zero.
 */
export async function compare(host: Host, [a, b]: readonly [object, object], held: readonly Held[]): Promise<boolean> {
  const words = ['compare', ...[a, b].map((node) => operand({ node, held }))];
  return over({ node: a, held }, words, async (bare) => {
    const program = { ...bare, timeout: 3_600_000 };
    const output = await host.query(program);
    if (output.code !== 0 && output.code !== 1) must(named(program), output);
    return output.code === 0;
  });
}
