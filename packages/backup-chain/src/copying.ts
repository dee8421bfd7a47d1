import { createHash } from 'node:crypto';
import { chmod, copy, reflink, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { source } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { sip } from '@platter/host/sip';
import { digestAt, sameDigest } from './digest.ts';
import { type Digests, sha256Of } from './digests.ts';
import { clusterSize } from './layout.ts';
import type { Link } from './stack.ts';

/** Copies files that are only read from then on, sharing their bytes where the filesystem can. */
export class Copier {
  readonly #host: Host;
  readonly #judgeRoom: () => Promise<void>;
  #shares = true;

  /** `judgeRoom` is asked once, when it comes out that bytes cannot be shared. */
  constructor(host: Host, judgeRoom: () => Promise<void>) {
    this.#host = host;
    this.#judgeRoom = judgeRoom;
  }

  async #reflink(from: string, to: string): Promise<boolean> {
    try {
      await this.#host.change(reflink(from, to));
      return true;
    } catch (error) {
      if (error instanceof Failure && error.kind === 'unsupported') return false;
      throw error;
    }
  }

  /** A copy, durable. */
  async copy(from: string, to: string): Promise<void> {
    const shared = this.#shares && (await this.#reflink(from, to));
    if (this.#shares && !shared) await this.#judgeRoom();
    this.#shares = shared;
    if (!shared) await this.#host.change(copy(from, to));
    await this.#host.change(chmod(to, 0o444));
    await this.#host.change(sync(to));
  }
}

const differs = (path: string, from: string, at: number): Failure =>
  new Failure('corrupt', `${path} is no copy of ${from}: they differ at offset ${at}`, {
    hint: `backup-chain scrub tells whether ${from} is damaged`,
  });

/** SHA-256 of the copy of a digest list; 5 unless it is this one. */
export async function provenList(host: Host, [from, path]: readonly [string, string], sha256: string): Promise<string> {
  const held = await host.query(hold(path));
  const found = await sha256Of(source(held));
  held.close();
  if (found === sha256) return found;
  throw differs(path, from, 0);
}

export interface Checking {
  workers: number;
  /** Told how many bytes have been read. */
  report: (done: number) => void;
}

/** SHA-256 of the copy of a data file, read past the page cache; 5 unless each chunk of it has its digest. */
export async function provenCopy(
  host: Host,
  [link, path]: readonly [Link, string],
  { workers, report }: Checking,
): Promise<string> {
  const held = await host.query(hold(path, { direct: true }));
  const hash = createHash('sha256');
  let done = 0;
  try {
    if (held.size !== link.held.size) throw differs(path, link.name, Math.min(held.size, link.held.size));
    for await (const { count, bytes, sha256 } of sip(held, { workers })) {
      const expected = await (link.digests as Digests).read(done / clusterSize, count);
      for (let n = 0; n < count; n += 1)
        if (!sameDigest(digestAt(sha256, n), digestAt(expected, n)))
          throw differs(path, link.name, done + n * clusterSize);
      hash.update(bytes.subarray(0, held.size - done));
      done += count * clusterSize;
      report(Math.min(done, held.size));
    }
  } finally {
    held.close();
  }
  return hash.digest('hex');
}
