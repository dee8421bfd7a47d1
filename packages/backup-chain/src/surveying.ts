import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { run } from '@platter/host/looks';
import * as z from 'zod/mini';
import { clusterSize } from './layout.ts';
import { markedScope } from './marked.ts';
import { dataOf, type Origin } from './origin.ts';
import type { Prepared } from './preparing.ts';
import { type Clusters, inside, type Scope, samples, touched, without } from './scope.ts';
import type { Range, Stack } from './stack.ts';

const map = z.array(z.looseObject({ start: z.number(), length: z.number(), zero: z.boolean() }));

/** The holes of a raw file as qemu-img tells them; none where there is no qemu-img or it cannot tell. */
async function holesOf(host: Host, { held }: Origin): Promise<Range[]> {
  if (held.kind !== 'file') return [];
  const unpin = held.pin();
  try {
    const words = ['map', '-f', 'raw', '--output=json', '/proc/self/fd/3'];
    const output = await host.query(run('qemu-img', words, { inherit: [held.fd], timeout: 300_000 }));
    const holes = output.code === 0 ? map.parse(JSON.parse(output.stdout)) : [];
    return holes.filter(({ zero }) => zero).map(({ start, length }) => ({ at: start, length }));
  } catch (error) {
    if (error instanceof Failure && error.kind === 'unsupported') return [];
    throw error;
  } finally {
    unpin();
  }
}

/** The whole source: what may hold bytes is read, the rest is known to be zero. */
async function wholeScope(host: Host, origin: Origin): Promise<Scope> {
  const all = touched([{ at: 0, length: origin.size }]);
  if (origin.stack === null) {
    const zero = inside(await holesOf(host, origin), origin.size);
    return { read: without(all, zero), zero };
  }
  const data: Range[] = [];
  for await (const { at, length } of dataOf(origin.stack)) data.push({ at, length });
  const read = touched(data);
  return { read, zero: without(all, read) };
}

/** The cluster in which the smaller of two sizes ends; null when they are equal. */
export function seam(before: number | null, size: number): number | null {
  return before === null || before === size ? null : Math.floor((Math.min(before, size) - 1) / clusterSize);
}

const ranged = (pairs: readonly (readonly [number, number])[]): Range[] =>
  pairs.map(([at, length]) => ({ at, length }));

/** What a list of changes says was touched, and the seam of a size that changed. */
function listedScope({ wish, origin, parent }: Prepared): Scope {
  const { ranges = [], zeros = [] } = wish.list ?? {};
  const edge = seam(parent?.point.virtualSize ?? null, origin.size);
  const extra = edge === null ? [] : [[edge * clusterSize, clusterSize] as const];
  const all = touched(ranged([...ranges, ...extra].sort(([a], [b]) => a - b)));
  const zero = inside(ranged(zeros), origin.size);
  return { read: without(all, zero), zero };
}

/** What of a source has to be read for a capture, and what is zero without (spec 3.2, engines). */
export async function scopeOf(
  host: Host,
  prepared: Prepared,
  { repo, chain }: { repo: string; chain: Stack | null },
): Promise<Scope> {
  const { engine } = prepared.decision;
  if (engine === 'bitmap') return markedScope(prepared, repo, chain);
  return engine === 'fiemap' ? listedScope(prepared) : wholeScope(host, prepared.origin);
}

const words = 2 ** 32;

/** Clusters that nothing says were changed, read all the same to see whether what says so is of this disk. */
export function controls(
  { decision, origin, parent }: Prepared,
  { read, zero }: Scope,
  random: Uint8Array,
): Clusters[] {
  if (decision.engine === 'diff') return [];
  const length = Math.min(origin.size, parent?.point.virtualSize ?? 0);
  const listed = [...read, ...zero].sort((a, b) => a.first - b.first);
  let seed = Buffer.from(random).readUInt32BE();
  const chance = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / words;
  };
  return samples(without(touched([{ at: 0, length }]), listed), chance);
}
