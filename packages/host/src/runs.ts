import { clusterBytes, runBytes } from './direct.ts';
import type { Held } from './hold.ts';

/** Bytes for `at` of the target. `sha256`: 32 bytes for each 64 KiB of them, the last zero-padded; null: unchecked. */
export interface Piece {
  /** A checked piece of a file is read to the end of its last cluster, also where `length` ends before. */
  from: { held: Held; at: number } | { bytes: Uint8Array } | 'zeros';
  at: number;
  length: number;
  sha256: Uint8Array | null;
}

/** Pieces that lie behind one another in the target and are written at once. */
export type Adjacent = Piece[];

const jobBytes = 4 * 1024 * 1024;
const jobSources = 4;

const padded = (length: number) => Math.ceil(length / clusterBytes) * clusterBytes;

function shifted(from: Piece['from'], by: number, length: number): Piece['from'] {
  if (from === 'zeros') return from;
  return 'held' in from ? { held: from.held, at: from.at + by } : { bytes: from.bytes.subarray(by, by + length) };
}

/** Steps of at most `runBytes`; each is checked before it is written. */
function* steps({ from, at, length, sha256 }: Piece): Generator<Piece> {
  for (let done = 0; done < length; done += runBytes) {
    const step = Math.min(runBytes, length - done);
    const digests = sha256?.subarray((done / clusterBytes) * 32, (padded(done + step) / clusterBytes) * 32) ?? null;
    yield { from: shifted(from, done, step), at: at + done, length: step, sha256: digests };
  }
}

const sources = (pieces: readonly Piece[]) =>
  new Set(pieces.map(({ from }) => (from !== 'zeros' && 'held' in from ? from.held : null))).size;

const bytesOf = (pieces: readonly Piece[]) => pieces.reduce((sum, { length }) => sum + length, 0);

/** Whether one buffer of `runBytes` and one write can take `piece` too. */
function joins(run: Adjacent, piece: Piece): boolean {
  const length = bytesOf(run);
  if (run[0] === undefined) return true;
  return (
    piece.at === run[0].at + length &&
    length + padded(piece.length) <= runBytes &&
    sources([...run, piece]) <= jobSources
  );
}

function* runsOf(pieces: Iterable<Piece>): Generator<Adjacent> {
  let run: Adjacent = [];
  for (const piece of pieces) {
    if (!joins(run, piece)) {
      yield run;
      run = [];
    }
    run.push(piece);
  }
  if (run.length > 0) yield run;
}

function* allSteps(pieces: Iterable<Piece>): Generator<Piece> {
  for (const piece of pieces) yield* steps(piece);
}

/** What one worker is given at a time: few enough bytes to share the work, few enough files to have them all open. */
export function* jobsOf(pieces: Iterable<Piece>): Generator<Adjacent[]> {
  let job: Adjacent[] = [];
  for (const run of runsOf(allSteps(pieces))) {
    job.push(run);
    if (bytesOf(job.flat()) < jobBytes && sources(job.flat()) < jobSources) continue;
    yield job;
    job = [];
  }
  if (job.length > 0) yield job;
}
