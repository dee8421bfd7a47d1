import { flush, pour } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import type { Held } from '@platter/host/hold';
import type { Piece } from '@platter/host/pour';
import { digestBytes } from './digest.ts';
import { Flight } from './flight.ts';
import { clusterSize } from './layout.ts';
import { pieces, type Range, type Stack, windows } from './stack.ts';

/** The part that makes a disk recognisable; it is written last. */
export const headBytes = 1024 * 1024;
const batchBytes = 32 * 1024 * 1024;
const batchesAtOnce = 2;

/** Which pieces of the chain a target still needs. */
export interface Need {
  /** One byte for each cluster that differs; null: all. */
  mask: Uint8Array | null;
  /** Whether zeros have to be written, or are there already. */
  zeros: boolean;
}

/** Bytes that went to the target, and that did not have to. */
export interface Tally {
  written: number;
  skipped: number;
  zeroed: number;
}

function part({ from, at, length, sha256 }: Piece, first: number, end: number): Piece {
  const by = first - at;
  const size = Math.min(end, at + length) - first;
  const source =
    from === 'zeros'
      ? from
      : 'held' in from
        ? { held: from.held, at: from.at + by }
        : { bytes: from.bytes.subarray(by, by + size) };
  const digests =
    sha256?.subarray((by / clusterSize) * digestBytes, Math.ceil((by + size) / clusterSize) * digestBytes) ?? null;
  return { from: source, at: first, length: size, sha256: digests };
}

/** The parts of a piece that lie in clusters that differ. */
export function* masked(piece: Piece, mask: Uint8Array): Generator<Piece> {
  const stop = piece.at + piece.length;
  for (let at = piece.at; at < stop; ) {
    const cluster = Math.floor(at / clusterSize);
    let end = cluster + 1;
    while (end * clusterSize < stop && mask[end] === mask[cluster]) end += 1;
    if (mask[cluster] === 1) yield part(piece, at, end * clusterSize);
    at = Math.min(stop, end * clusterSize);
  }
}

function* needed(piece: Piece, { mask, zeros }: Need): Generator<Piece> {
  if (piece.from === 'zeros' && !zeros) return;
  if (mask === null) yield piece;
  else yield* masked(piece, mask);
}

const count = (tally: Tally, { from, length }: Piece): void => {
  if (from === 'zeros') tally.zeroed += length;
  else tally.written += length;
};

/** The guest without its head, window by window. */
function* bodies(virtualSize: number): Generator<Range> {
  for (const { at, length } of windows(virtualSize)) {
    const start = Math.max(at, headBytes);
    if (at + length > start) yield { at: start, length: at + length - start };
  }
}

export interface Pouring {
  host: Host;
  stack: Stack;
  target: Held;
  need: Need;
  tally: Tally;
  workers: number;
  progress: (done: number) => void;
}

/** Gathers pieces to batches and hands each on when it is full. */
class Batches {
  readonly #write: (batch: Piece[]) => Promise<void>;
  #pieces: Piece[] = [];
  #bytes = 0;

  constructor(write: (batch: Piece[]) => Promise<void>) {
    this.#write = write;
  }

  async add(piece: Piece): Promise<void> {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= batchBytes) await this.end();
  }

  async end(): Promise<void> {
    const batch = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    if (batch.length > 0) await this.#write(batch);
  }
}

/** Writes what is needed of ranges in batches, each one change; the next is composed while some are under way. */
async function pourRanges(
  { host, stack, target, need, tally, workers, progress }: Pouring,
  ranges: Iterable<Range>,
): Promise<void> {
  const writing = new Flight(batchesAtOnce);
  const write = async (batch: Piece[]) => {
    await host.change(pour(target, batch, workers));
    for (const piece of batch) count(tally, piece);
    progress(batch.at(-1)?.at ?? 0);
  };
  const batches = new Batches((batch) => writing.begin(() => write(batch)));
  try {
    for (const range of ranges)
      for await (const piece of pieces(stack, range)) for (const one of needed(piece, need)) await batches.add(one);
    await batches.end();
  } finally {
    await writing.land();
  }
}

/** Writes everything but the head. */
export const pourBody = (pouring: Pouring): Promise<void> => pourRanges(pouring, bodies(pouring.stack.virtualSize));

/** Zeros as pieces of at most one batch each, over a range of the target. */
export async function pourZeros({ host, target, workers, tally }: Pouring, { at, length }: Range): Promise<void> {
  for (let done = 0; done < length; done += batchBytes) {
    const size = Math.min(batchBytes, length - done);
    await host.change(pour(target, [{ from: 'zeros', at: at + done, length: size, sha256: null }], workers));
    tally.zeroed += size;
  }
}

const headOf = ({ stack }: Pouring): Range => ({ at: 0, length: Math.min(headBytes, stack.virtualSize) });

/** Makes the target unrecognisable, durably: from here on it is a blank disk until its head is written. */
export async function blankHead(pouring: Pouring): Promise<void> {
  const { tally } = pouring;
  await pourZeros({ ...pouring, tally: { ...tally } }, headOf(pouring));
  await pouring.host.change(flush(pouring.target));
}

/** Makes all that was written durable, then writes the head: the commit. One that cannot be written whole is blanked again. */
export async function commitHead(pouring: Pouring): Promise<void> {
  await pouring.host.change(flush(pouring.target));
  try {
    await pourRanges({ ...pouring, need: { mask: null, zeros: false } }, [headOf(pouring)]);
  } catch (error) {
    await blankHead(pouring).catch(() => undefined);
    throw error;
  }
  await pouring.host.change(flush(pouring.target));
}
