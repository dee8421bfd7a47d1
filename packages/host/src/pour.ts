import { fdatasync } from 'node:fs';
import { promisify } from 'node:util';
import type { Mishap, Portion } from './bulk-worker.ts';
import { crew } from './crew.ts';
import type { Descriptors } from './direct.ts';
import { Failure } from './failure.ts';
import type { Held } from './hold.ts';
import { type Adjacent, jobsOf, type Piece } from './runs.ts';

export type { Piece } from './runs.ts';

const syncBytes = 256 * 1024 * 1024;

/** Bytes written through the page cache since the last fdatasync of each target. */
const unsynced = new WeakMap<Held, number>();

const descriptors = ({ fd, direct, sectorSize }: Held): Descriptors => ({ fd, direct, sector: sectorSize });

/** Views go to a worker with the whole memory behind them unless that is shared: copies are small, files' are not. */
const message = (bytes: Uint8Array) => (bytes.buffer instanceof SharedArrayBuffer ? bytes : bytes.slice());

function portion({ from, length, sha256 }: Piece, index: number): Portion {
  const digests = sha256 === null ? null : message(sha256);
  if (from === 'zeros') return { index, from: null, length, sha256: digests };
  if ('bytes' in from) return { index, from: { bytes: message(from.bytes) }, length, sha256: digests };
  return { index, from: { file: descriptors(from.held), at: from.at }, length, sha256: digests };
}

/** Holds the descriptors of every file of the pieces until the returned function is called. */
function pinAll(pieces: readonly Piece[]): () => void {
  const unpins: (() => void)[] = [];
  const undo = () => {
    for (const unpin of unpins) unpin();
  };
  try {
    for (const { from } of pieces) if (from !== 'zeros' && 'held' in from) unpins.push(from.held.pin());
    return undo;
  } catch (error) {
    undo();
    throw error;
  }
}

function failure(to: Held, { from, at: target }: Piece, { what, offset, cause }: Mishap): Failure {
  const file = from !== 'zeros' && 'held' in from;
  const place = file ? `${from.held.path} at offset ${from.at + offset}` : `the bytes for offset ${target + offset}`;
  if (what === 'digest') return new Failure('corrupt', `${place}: the content is not what its digest says`);
  if (what === 'short') return new Failure('corrupt', `${place}: the file ends here, before it should`);
  const tried = what === 'write' ? `write ${to.path} at offset ${target + offset}` : `read ${place}`;
  return new Failure('failed', `could not ${tried}: ${cause?.message}`, { cause });
}

/** One job in one worker; says how many bytes it left in the page cache. */
async function issue(to: Held, runs: readonly Adjacent[], workers: number): Promise<number> {
  const pieces = runs.flat();
  const unpin = pinAll(pieces);
  try {
    let index = 0;
    const portions = (run: Adjacent) => run.map((piece) => portion(piece, index++));
    const prepared = runs.map((run) => ({ at: run[0]?.at ?? 0, portions: portions(run) }));
    const { mishap, bytes } = await crew.run({ verb: 'pour', target: descriptors(to), runs: prepared }, workers);
    const piece = mishap && pieces[mishap.index];
    if (piece) throw failure(to, piece, mishap);
    return bytes;
  } finally {
    unpin();
  }
}

/** Syncs what lies in the page cache each 256 MiB, so that a full or failing disk is noticed soon. */
async function settle(to: Held, bytes: number): Promise<void> {
  const total = (unsynced.get(to) ?? 0) + bytes;
  unsynced.set(to, total < syncBytes ? total : 0);
  if (total < syncBytes) return;
  try {
    await promisify(fdatasync)(to.fd);
  } catch (cause) {
    throw new Failure('failed', `could not sync ${to.path}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Writes one batch of pieces by worker threads, each piece (in steps of 2 MiB) read and checked before any of it is
 * written. The order of writing is open; nothing is synced but each 256 MiB that went through the page cache. A
 * digest that differs, or a file that ends early, is Failure corrupt with the source's offset; a failed read or write
 * Failure failed. After an error nothing more is issued, and what is under way has ended.
 */
export async function pour(to: Held, pieces: readonly Piece[], workers = 4): Promise<void> {
  const jobs = jobsOf(pieces);
  let buffered = 0;
  // A lane that throws closes the generator, so the others find no further job.
  const lane = async () => {
    for (const runs of jobs) buffered += await issue(to, runs, workers);
  };
  const ended = await Promise.allSettled(Array.from({ length: workers }, lane));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
  await settle(to, buffered);
}
