import type { Answer, Mishap, SipJob } from './bulk-worker.ts';
import { crew } from './crew.ts';
import { clusterBytes, pagedBytes } from './direct.ts';
import { Failure } from './failure.ts';
import type { Held } from './hold.ts';
import { type Range, slabsOf } from './slabs.ts';

/** Clusters of 64 KiB that were read, ascending; good until the next slab is asked for or the reading ends. */
export interface Slab {
  count: number;
  /** The offset in the file of each cluster. */
  at: Float64Array;
  /** Cluster n is at 65536 n; what lies behind the end of the file is zero. Shared: `pour` takes it as it is. */
  bytes: Uint8Array;
  /** 32 bytes for each cluster. */
  sha256: Uint8Array;
  /** 1 where every byte of the cluster is zero. */
  zero: Uint8Array;
  /** Whether all of it came past the page cache. */
  direct: boolean;
}

export interface SipOptions {
  /** Ascending; widened to whole clusters, each of which is read once. Without them the whole file. */
  ranges?: Iterable<Range>;
  workers?: number;
}

const slabBytes = 8 * 1024 * 1024;
const slabCount = 4;

interface Cup {
  bytes: Uint8Array;
  sha256: Uint8Array;
  zero: Uint8Array;
}

const makeCup = (): Cup => ({
  bytes: pagedBytes(slabBytes),
  sha256: pagedBytes((slabBytes / clusterBytes) * 32),
  zero: pagedBytes(slabBytes / clusterBytes),
});

/** Cups that nobody drinks from now, for the next file: many small files in turn need no more memory than one. */
const spare: Cup[] = [];

function failure({ path }: Held, extents: readonly Range[], { what, index, offset, cause }: Mishap): Failure {
  const at = (extents[index]?.at ?? 0) + offset;
  if (what === 'short') return new Failure('busy', `${path} became shorter while it was read, at offset ${at}`);
  return new Failure('failed', `cannot read ${path} at offset ${at}: ${cause?.message}`, { cause });
}

/** The offset of every cluster of the extents. */
function offsets(extents: readonly Range[]): Float64Array {
  const at = new Float64Array(extents.reduce((sum, { length }) => sum + Math.ceil(length / clusterBytes), 0));
  let n = 0;
  for (const extent of extents)
    for (let done = 0; done < extent.length; done += clusterBytes, n += 1) at[n] = extent.at + done;
  return at;
}

function slabOf(cup: Cup, extents: readonly Range[], { bytes }: Answer): Slab {
  const at = offsets(extents);
  const total = extents.reduce((sum, { length }) => sum + length, 0);
  return {
    count: at.length,
    at,
    bytes: cup.bytes.subarray(0, at.length * clusterBytes),
    sha256: cup.sha256.subarray(0, at.length * 32),
    zero: cup.zero.subarray(0, at.length),
    direct: bytes === total,
  };
}

type Draw = Omit<SipJob, 'verb' | 'extents'> & { extents: readonly Range[] };

/** Reads one slab in a worker. */
async function draw(held: Held, { extents, ...rest }: Draw, workers: number): Promise<Answer> {
  const pairs = new Float64Array(2 * extents.length);
  for (const [n, { at, length }] of extents.entries()) pairs.set([at, length], 2 * n);
  const answer = await crew.run({ verb: 'sip', ...rest, extents: pairs }, workers);
  if (answer.mishap !== null) throw failure(held, extents, answer.mishap);
  return answer;
}

/**
 * Reads a held file or device by worker threads, slab by slab in order, ahead of who takes them. A file held `direct`
 * is read past the page cache; where that is refused the slab says so (Node has no posix_fadvise to drop the cache).
 * A read error is Failure failed, an end before the held size Failure busy.
 */
export async function* sip(held: Held, { ranges, workers = 4 }: SipOptions = {}): AsyncGenerator<Slab> {
  const plan = slabsOf(ranges ?? [{ at: 0, length: held.size }], held.size, slabBytes);
  const unpin = held.pin();
  const file = { fd: held.fd, direct: held.direct, sector: held.sectorSize };
  const queue: { cup: Cup; extents: Range[]; answer: Promise<Answer> }[] = [];
  const cups: Cup[] = [];
  const fresh = () => {
    const cup = spare.pop() ?? makeCup();
    cups.push(cup);
    return cup;
  };
  const pull = (cup: () => Cup) => {
    const { value: extents, done } = plan.next();
    if (done) return;
    const full = cup();
    const answer = draw(held, { file, extents, ...full }, workers);
    answer.catch(() => {});
    queue.push({ cup: full, extents, answer });
  };
  try {
    for (let n = 0; n < slabCount; n += 1) pull(fresh);
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { cup, extents, answer } = next;
      yield slabOf(cup, extents, await answer);
      pull(() => cup);
    }
  } finally {
    await Promise.allSettled(queue.map(({ answer }) => answer));
    spare.push(...cups);
    unpin();
  }
}
