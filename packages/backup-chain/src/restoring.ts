import type { Call } from '@platter/command/call';
import { flush } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { run, text } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { differing, type Look, tailIsZero } from './difference.ts';
import { clusterSize } from './layout.ts';
import { blankHead, commitHead, type Need, type Pouring, pourBody, pourZeros, type Tally } from './pouring.ts';
import type { Stack } from './stack.ts';

/** How a restore goes about its target. */
export interface Manner {
  delta: boolean;
  keepTail: boolean;
  workers: number;
}

const gibibyte = 1024 ** 3;
const discardBytes = 64 * gibibyte;

/** Whether the device can zero a range by itself. */
async function zeroesItself(host: Host, { device }: Held): Promise<boolean> {
  const queue = `/sys/dev/block/${device}/queue/write_zeroes_max_bytes`;
  const most = (await host.query(text(queue))) ?? (await host.query(text(queue.replace('/queue', '/../queue'))));
  return Number(most ?? 0) > 0;
}

/** Zeroes a range of a device by its own means, a part at a time. */
async function zeroRange(host: Host, { path }: Held, range: { at: number; length: number }): Promise<void> {
  for (let done = 0; done < range.length; done += discardBytes) {
    const length = Math.min(discardBytes, range.length - done);
    const words = ['-z', '-f', '-o', String(range.at + done), '-l', String(length), path];
    const program = run('blkdiscard', words, { timeout: 600_000 });
    must(program, await host.change(because(program, 'what has no data reads as zero')));
  }
}

const end = ({ target, stack }: Pouring, { keepTail }: Manner): number => (keepTail ? stack.virtualSize : target.size);

/** Brings zeros to where the chain has no data, or says that they have to be poured. */
async function prepareZeros(pouring: Pouring, manner: Manner): Promise<Need> {
  const { host, target } = pouring;
  if (target.kind === 'file') return { mask: null, zeros: false };
  if (!(await zeroesItself(host, target))) return { mask: null, zeros: true };
  await zeroRange(host, target, { at: 0, length: end(pouring, manner) });
  return { mask: null, zeros: false };
}

async function zeroTail(pouring: Pouring, manner: Manner, need: Need): Promise<void> {
  const { target, stack } = pouring;
  const done = need.mask === null && !need.zeros;
  if (manner.keepTail || done || target.size <= stack.virtualSize) return;
  await pourZeros(pouring, { at: stack.virtualSize, length: target.size - stack.virtualSize });
}

/** Zeroes what lies behind the disk on a larger target, for an engine that leaves it as it was. */
export async function clearTail(host: Host, { stack, target, manner }: Pick<Job, 'stack' | 'target' | 'manner'>) {
  const need: Need = { mask: null, zeros: true };
  const tally: Tally = { written: 0, skipped: 0, zeroed: 0 };
  const pouring = { host, stack, target, need, tally, workers: manner.workers, progress: () => {} };
  await zeroTail(pouring, manner, need);
  await host.change(flush(target));
}

/** What a target needs: all of it, or with `delta` what differs; null when it is as it should be. */
async function needOf(pouring: Pouring, manner: Manner): Promise<Need | 'all' | null> {
  if (!manner.delta) return 'all';
  const { target, stack, tally } = pouring;
  const look: Look = { target, virtualSize: stack.virtualSize, workers: manner.workers };
  const mask = await differing(look, stack);
  const clean = manner.keepTail || target.size <= stack.virtualSize || (await tailIsZero(look));
  if (mask === null && clean) return null;
  const wanted = mask ?? new Uint8Array(Math.ceil(stack.virtualSize / clusterSize));
  tally.skipped = wanted.reduce((sum, differs) => sum + (1 - differs), 0) * clusterSize;
  return { mask: wanted, zeros: true };
}

/** What may be written was, durably, also when the run is cut short; the cause is what is told. */
async function leaveBlank(host: Host, target: Held, error: unknown): Promise<never> {
  await host.change(flush(target)).catch(() => undefined);
  if (!(error instanceof Failure)) throw error;
  const hint = 'the target is blank until a restore ends; the same with --delta goes on where this one stopped';
  throw new Failure(error.kind, error.message, { details: error.details, hint, cause: error });
}

export interface Job {
  call: Call<unknown>;
  stack: Stack;
  target: Held;
  manner: Manner;
  label: string;
}

/**
 * Writes a chain to a target: the head blank first and last of all, so that a target is blank or complete
 * (spec 3.8, steps 1 to 5). Every cluster is checked against its digest before it is written.
 */
export async function writeTarget({ call, stack, target, manner, label }: Job): Promise<Tally> {
  const progress = call.progress(label, stack.virtualSize);
  const tally: Tally = { written: 0, skipped: 0, zeroed: 0 };
  const base = { host: call.host, stack, target, tally, workers: manner.workers, progress: progress.update };
  const pouring: Pouring = { ...base, need: { mask: null, zeros: true } };
  const need = await needOf(pouring, manner);
  if (need === null) return { ...tally, skipped: stack.virtualSize };
  try {
    await blankHead(pouring);
    const exact = need === 'all' ? await prepareZeros(pouring, manner) : need;
    await pourBody({ ...pouring, need: exact });
    await zeroTail(pouring, manner, exact);
    await commitHead(pouring);
  } catch (error) {
    await leaveBlank(call.host, target, error);
  } finally {
    progress.end();
  }
  return tally;
}
