import { create, flush, pour, reflink } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { hold, run, space } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { mappingsOf } from './prediction.ts';
import type { Scratch } from './scratch.ts';
import { stopwatch } from './stopwatch.ts';

/** What a clone costs, in microseconds: the program's own time, and that of each mapping. */
export interface Cost {
  baseUs: number;
  usPerMapping: number;
}

const block = 4096;
const pieces = 16_384;
const rounds = 3;

/** Measures clones of a file in one piece and of one in 16,384, three of each in turns; null in a dry run. */
export async function calibrate(scratch: Scratch): Promise<Cost | null> {
  const { host, random } = scratch.call;
  const [whole, many] = [scratch.file('whole'), scratch.file('pieces')];
  await host.change(because(create(whole, random(block), 0o600), 'a file of one mapping'));
  await host.change(because(create(many, '', 0o600), 'a file of many mappings'));
  if (host.dry) return null;
  await scatter(scratch, many);
  const times = { whole: [] as number[], many: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    times.whole.push(await cloned(scratch, whole, `whole-${round}`));
    times.many.push(await cloned(scratch, many, `pieces-${round}`));
  }
  const mappings = await mappingsOf({ host, space: await host.query(space(many)) }, { path: many });
  return lineThrough({ mappings: 1, ms: median(times.whole) }, { mappings, ms: median(times.many) });
}

/**
 * Writes one block of three, as scattered as a used image: XFS puts every other one side by side, so that their records
 * merge, and a clone then costs half.
 */
async function scatter({ call: { host } }: Scratch, path: string): Promise<void> {
  const held = await host.query(hold(path, { write: true }));
  const bytes = Buffer.alloc(block, 'x');
  const piece = (_: unknown, index: number) => ({
    from: { bytes },
    at: index * 3 * block,
    length: block,
    sha256: null,
  });
  try {
    await host.change(pour(held, Array.from({ length: pieces }, piece)));
    await host.change(flush(held));
  } finally {
    held.close();
  }
}

/** Milliseconds that one clone takes; the log is written out before, or small clones would only fill it. */
async function cloned({ call: { host }, file }: Scratch, from: string, name: string): Promise<number> {
  const settled = run('sync', ['-f', '--', from], { timeout: 60_000 });
  must(settled, await host.query(settled));
  const ms = stopwatch();
  await host.change(because(reflink(from, file(name)), 'timed'));
  return ms();
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

interface Point {
  mappings: number;
  ms: number;
}

/** The straight line through two measurements, in microseconds; never falling, never below zero. */
export function lineThrough(one: Point, many: Point): Cost {
  const slope = Math.max(0, (many.ms - one.ms) / (many.mappings - one.mappings));
  const base = Math.max(0, one.ms - slope * one.mappings);
  const us = (ms: number) => Math.round(ms * 100_000) / 100;
  return { baseUs: us(base), usPerMapping: us(slope) };
}
