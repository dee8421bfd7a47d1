import { hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { clusterBytes, type Descriptors, pagedBytes, readAt, runBytes, writeBehind } from './direct.ts';

/** Reads extents one behind the other into `bytes`, with the digest and the zero flag of every cluster. */
export interface SipJob {
  verb: 'sip';
  file: Descriptors;
  /** Offset and length of each in turn. */
  extents: Float64Array;
  bytes: Uint8Array;
  sha256: Uint8Array;
  zero: Uint8Array;
}

/** Bytes for one place: from an open file, from memory, or zeros (null). `sha256`: 32 bytes for each cluster. */
export interface Portion {
  index: number;
  from: { file: Descriptors; at: number } | { bytes: Uint8Array } | null;
  length: number;
  sha256: Uint8Array | null;
}

/** Portions that lie behind one another from `at` on: read and checked all, then written at once. */
export interface Run {
  at: number;
  portions: readonly Portion[];
}

export interface PourJob {
  verb: 'pour';
  target: Descriptors;
  runs: readonly Run[];
}

export type Job = SipJob | PourJob;

/** What went wrong, and where: `offset` bytes into portion (or extent) `index`. */
export interface Mishap {
  what: 'digest' | 'short' | 'read' | 'write';
  index: number;
  offset: number;
  cause?: { message: string; code: string | undefined };
}

/** `bytes`: how many came past the page cache (sip), or still lie in it (pour). */
export interface Answer {
  bytes: number;
  mishap: Mishap | null;
}

class Stop extends Error {
  readonly mishap: Mishap;
  constructor(mishap: Mishap) {
    super(mishap.what);
    this.mishap = mishap;
  }
}

/** Turns a failed system call into the mishap it is. */
function attempt<T>(mishap: Omit<Mishap, 'cause'>, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    throw new Stop({ ...mishap, cause: { message, code } });
  }
}

const zeros = Buffer.alloc(clusterBytes);
const zeroDigest = hash('sha256', zeros, 'buffer');
/** One run is gathered while the one before is written. */
const buffers = [pagedBytes(runBytes), pagedBytes(runBytes)] as const;

const whole = (length: number) => Math.ceil(length / clusterBytes) * clusterBytes;

const digestOf = (cluster: Uint8Array) => hash('sha256', cluster, 'buffer');

function digestAll({ bytes, sha256, zero }: SipJob, clusters: number): void {
  for (let n = 0; n < clusters; n += 1) {
    const cluster = bytes.subarray(n * clusterBytes, (n + 1) * clusterBytes);
    const empty = zeros.equals(cluster);
    zero[n] = empty ? 1 : 0;
    sha256.set(empty ? zeroDigest : digestOf(cluster), n * 32);
  }
}

function sip(job: SipJob): number {
  let done = 0;
  let direct = 0;
  for (let index = 0; index < job.extents.length / 2; index += 1) {
    const [at, length] = [job.extents[2 * index] as number, job.extents[2 * index + 1] as number];
    const into = job.bytes.subarray(done, done + whole(length));
    const got = attempt({ what: 'read', index, offset: 0 }, () => readAt(job.file, into, at));
    if (got.length < length) throw new Stop({ what: 'short', index, offset: got.length });
    job.bytes.fill(0, done + length, done + whole(length));
    done += whole(length);
    direct += Math.min(got.direct, length);
  }
  digestAll(job, done / clusterBytes);
  return direct;
}

function check({ index, sha256 }: Portion, bytes: Uint8Array): void {
  for (let at = 0; sha256 !== null && at < bytes.length; at += clusterBytes) {
    const expected = sha256.subarray((at / clusterBytes) * 32, (at / clusterBytes) * 32 + 32);
    if (Buffer.compare(digestOf(bytes.subarray(at, at + clusterBytes)), expected) !== 0)
      throw new Stop({ what: 'digest', index, offset: at });
  }
}

/** Brings a portion into `into`, which goes on to the end of its last cluster where a digest has to be checked. */
function fill({ index, from, length }: Portion, into: Uint8Array): void {
  if (from === null) into.fill(0);
  else if ('bytes' in from) into.set(from.bytes);
  else {
    const got = attempt({ what: 'read', index, offset: 0 }, () => readAt(from.file, into, from.at));
    if (got.length < length) throw new Stop({ what: 'short', index, offset: got.length });
    into.fill(0, got.length);
  }
}

function gather(portions: readonly Portion[], buffer: Uint8Array): Uint8Array {
  let done = 0;
  for (const portion of portions) {
    const length = portion.sha256 === null ? portion.length : whole(portion.length);
    const into = buffer.subarray(done, done + length);
    fill(portion, into);
    check(portion, into);
    done += portion.length;
  }
  return buffer.subarray(0, done);
}

async function write(target: Descriptors, { at, portions }: Run, bytes: Uint8Array): Promise<number> {
  try {
    return await writeBehind(target, bytes, at);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    throw new Stop({ what: 'write', index: portions[0]?.index ?? 0, offset: 0, cause: { message, code } });
  }
}

async function pour({ target, runs }: PourJob): Promise<number> {
  let buffered = 0;
  let under = Promise.resolve(0);
  try {
    for (const [n, run] of runs.entries()) {
      const bytes = gather(run.portions, buffers[n % 2 === 0 ? 0 : 1]);
      buffered += await under;
      under = write(target, run, bytes);
    }
  } finally {
    await under.catch(() => 0);
  }
  return buffered + (await under);
}

async function answer(job: Job): Promise<Answer> {
  try {
    return { bytes: job.verb === 'sip' ? sip(job) : await pour(job), mishap: null };
  } catch (error) {
    if (error instanceof Stop) return { bytes: 0, mishap: error.mishap };
    throw error;
  }
}

parentPort?.on('message', async (job: Job) => parentPort?.postMessage(await answer(job)));
