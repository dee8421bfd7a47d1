import { Failure } from '@platter/host/failure';
import * as z from 'zod/mini';
import type { Identity } from './engine.ts';

/** What changed from one image to another, in bytes; `zeros` lie inside `ranges` and read as zero now. */
export interface ChangeList {
  from: Identity;
  to: Identity & { ref: string | null; path: string };
  format: 'raw';
  ranges: [at: number, length: number][];
  zeros: [at: number, length: number][];
}

const whole = z.number().check(z.nonnegative(), z.refine(Number.isSafeInteger));
const exact = z.pipe(z.union([z.string().check(z.regex(/^\d{1,30}$/)), whole]), z.transform(String));
const image = z.looseObject({
  ref: z.string(),
  path: z.string(),
  ino: exact,
  birthNs: exact,
  mtimeNs: exact,
  size: whole,
});
const pairs = z.array(z.tuple([whole, whole]));
const line = z.looseObject({
  kind: z.literal('DiskDiff'),
  from: image,
  to: image,
  format: z.literal('raw'),
  ranges: pairs,
  zeros: pairs,
  complete: z.boolean(),
});
type Line = z.infer<typeof line>;

const wrong = (message: string): Failure => new Failure('usage', message);

function parse(record: unknown): Line {
  const read = line.safeParse(record);
  if (read.success) return read.data;
  throw wrong(`a DiskDiff of stdin cannot be right: ${read.error.issues[0]?.path.join('.') ?? 'its content'}`);
}

const ascending = (ranges: readonly (readonly [number, number])[], size: number): boolean =>
  ranges.every(([at, length], n) => {
    const [before, run] = ranges[n - 1] ?? [0, 0];
    return at >= before + run && length > 0 && at + length <= size;
  });

function joined(lines: readonly Line[]): ChangeList {
  const [first] = lines as [Line];
  const { from, to } = first;
  if (lines.at(-1)?.complete !== true)
    throw wrong(`the list of changes up to ${to.ref} ends before it is complete: it is of no use`);
  const ranges = lines.flatMap((one) => one.ranges) as ChangeList['ranges'];
  const zeros = lines.flatMap((one) => one.zeros) as ChangeList['zeros'];
  if (!ascending(ranges, to.size) || !ascending(zeros, to.size))
    throw wrong(`the list of changes up to ${to.ref} does not ascend inside the image`);
  return { from, to, format: 'raw', ranges, zeros };
}

/** DiskDiff records joined by what they compare; one without its last line, or out of order, is exit 2. */
export function changeLists(records: readonly unknown[]): ChangeList[] {
  const groups = new Map<string, Line[]>();
  for (const one of records.map(parse)) {
    const key = JSON.stringify([one.from, one.to]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map(joined);
}

/** The name of the volume a reference such as `db/data@20` is of: its last segment. */
export function volumeOf(ref: string): string {
  const volume = ref.split('@')[0] ?? '';
  return volume.slice(volume.lastIndexOf('/') + 1);
}
