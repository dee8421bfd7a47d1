import { chmod, clone, create, flush, pour, reflink } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { type Held, source } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import type { Piece } from '@platter/host/pour';
import { Patch, type Patched } from '@platter/qcow2/patch';
import type { Block } from '@platter/qcow2/writer';
import { chunkDigests, clustersOf, digestAt, digestBytes, digestsAt, zeroDigest } from './digest.ts';
import { DigestPatch } from './digest-patch.ts';
import { sha256Of } from './digests.ts';
import type { DraftPlan, Finished, Receiver } from './draft.ts';
import { punch } from './fallocate.ts';
import { clusterSize } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { touched } from './scope.ts';
import type { Link, Range } from './stack.ts';

export interface FoldPlan extends DraftPlan {
  /** The full that is cloned: its point, its open file, and where its digest list lies. */
  full: { point: Point; link: Link; list: string };
}

/** A fold's files are what a draft's are; only these chunks of the data file were written. */
export type Folded = Finished & { chunks: Range[]; bytesWritten: number };

/** Ranges that are punched, each by a program of its own; zeros are written to the shorter ones. */
const mostPunched = 64;

/**
 * A clone of a full, and of its digest list, in which clusters are replaced and dropped. What is not touched stays
 * shared with the full, and nobody reads or writes it.
 */
export class Fold implements Receiver {
  readonly #host: Host;
  readonly #plan: FoldPlan;
  readonly #patch: Patch;
  #data: Held | null = null;
  #list: Held | null = null;
  #pieces: Piece[] = [];
  readonly #digests = new DigestPatch();
  readonly #chunks: Range[] = [];
  #written = 0;

  constructor(host: Host, plan: FoldPlan) {
    this.#host = host;
    this.#plan = plan;
    this.#patch = new Patch(plan.full.link.layer);
  }

  /** Makes the clones; Failure unsupported where the filesystem shares no extents. */
  async begin(): Promise<void> {
    const { data, digests, full } = this.#plan;
    const list = await this.#host.query(hold(full.list));
    try {
      this.#data = await this.#clone(full.link.held, data);
      this.#list = await this.#clone(list, digests);
    } finally {
      list.close();
    }
  }

  async #clone(from: Held, path: string): Promise<Held | null> {
    await this.#host.change(create(path, '', 0o600));
    if (this.#host.dry) {
      await this.#host.change(reflink(from.path, path));
      return null;
    }
    const held = await this.#host.query(hold(path, { write: true }));
    try {
      await this.#host.change(clone(from, held));
    } catch (error) {
      held.close();
      throw error;
    }
    return held;
  }

  #put(piece: Piece): void {
    this.#pieces.push(piece);
    this.#chunks.push({ at: piece.at, length: piece.length });
    this.#written += piece.length;
  }

  #putBlock({ at, bytes }: Block): void {
    chunkDigests(bytes).forEach((digest, n) => {
      this.#digests.put(at / clusterSize + n, digest);
    });
    this.#put({ from: { bytes }, at, length: bytes.length, sha256: null });
  }

  async store(cluster: number, bytes: Uint8Array, digest: Uint8Array): Promise<void> {
    const at = await this.#patch.replace(cluster);
    this.#digests.put(at / clusterSize, digest);
    this.#put({ from: { bytes }, at, length: bytes.length, sha256: null });
  }

  async copy(cluster: number, from: { held: Held; at: number }, digests: Uint8Array): Promise<void> {
    const places: number[] = [];
    for (let n = 0; n * digestBytes < digests.length; n += 1) {
      places.push(await this.#patch.replace(cluster + n));
      this.#digests.put((places[n] as number) / clusterSize, digestAt(digests, n));
    }
    for (let first = 0; first < places.length; ) {
      const at = places[first] as number;
      let count = 1;
      while (places[first + count] === at + count * clusterSize) count += 1;
      const sha256 = digestsAt(digests, first, count);
      const here = { held: from.held, at: from.at + first * clusterSize };
      this.#put({ from: here, at, length: count * clusterSize, sha256 });
      first += count;
    }
  }

  async zero(cluster: number, count: number): Promise<void> {
    await this.#patch.drop(cluster, count);
  }

  async pour(): Promise<void> {
    for (const block of this.#patch.ready()) this.#putBlock(block);
    await this.#write();
  }

  async #write(): Promise<void> {
    const [pieces, digests] = [this.#pieces.splice(0), this.#digests.take()];
    if (this.#data !== null && pieces.length > 0) await this.#host.change(pour(this.#data, pieces, this.#plan.workers));
    if (this.#list !== null && digests.length > 0) await this.#host.change(pour(this.#list, digests));
  }

  /** Takes away what nothing refers to any more. */
  async #free(freed: readonly Range[]): Promise<void> {
    const longest = [...freed].sort((a, b) => b.length - a.length).slice(0, mostPunched);
    for (const range of freed) {
      const { at, length } = range;
      for (let n = 0; n < clustersOf(length); n += 1) this.#digests.put(at / clusterSize + n, zeroDigest);
      if (!longest.includes(range)) this.#put({ from: 'zeros', at, length, sha256: null });
    }
    if (this.#data === null) return;
    for (const range of longest) {
      await punch(this.#host, this.#data, range);
      this.#chunks.push(range);
    }
  }

  /** Writes the tables and makes both files durable. */
  async finish(): Promise<Folded> {
    const patched = await this.#patch.finish();
    await this.#free(patched.freed);
    for await (const block of patched.blocks) {
      this.#putBlock(block);
      if (this.#pieces.length >= 256) await this.#write();
    }
    await this.#write();
    const digestsSha256 = await this.#settle();
    const chunks = touched(this.#chunks.sort((a, b) => a.at - b.at)).map(({ first, end }) => ({
      at: first * clusterSize,
      length: (end - first) * clusterSize,
    }));
    return { ...this.#counted(patched), digestsSha256, chunks, bytesWritten: this.#written };
  }

  #counted({ size, dataClusters, zeroClusters }: Patched) {
    const { data } = this.#plan.full.point;
    return {
      size,
      dataClusters: data.dataClusters + dataClusters,
      zeroClusters: data.zeroClusters + zeroClusters,
    };
  }

  async #settle(): Promise<string> {
    const { data, digests, full } = this.#plan;
    for (const path of [data, digests]) await this.#host.change(chmod(path, 0o444));
    if (this.#data === null || this.#list === null) return full.point.digests.sha256;
    for (const held of [this.#data, this.#list]) await this.#host.change(flush(held));
    this.#list.close();
    this.#list = await this.#host.query(hold(digests));
    return sha256Of(source(this.#list));
  }

  close(): void {
    for (const held of [this.#data, this.#list]) held?.close();
    this.#data = null;
    this.#list = null;
  }
}
