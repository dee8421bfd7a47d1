import { chmod, create, flush, pour } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import type { Held } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import type { Piece } from '@platter/host/pour';
import { type Block, Writer } from '@platter/qcow2/writer';
import { chunkDigests, digestAt, digestBytes, digestsAt } from './digest.ts';
import { DigestFile } from './digest-file.ts';
import { clusterSize } from './layout.ts';
import { windowClusters } from './stack.ts';

export interface DraftPlan {
  data: string;
  digests: string;
  virtualSize: number;
  type: 'full' | 'incremental';
  workers: number;
}

/** What a finished draft holds. */
export interface Finished {
  size: number;
  dataClusters: number;
  zeroClusters: number;
  digestsSha256: string;
}

/** What takes clusters in ascending order; several may be told of before they are written. */
export interface Receiver {
  /** A cluster of data; its bytes must stay until the next `pour`. */
  store(cluster: number, bytes: Uint8Array, digest: Uint8Array): Promise<void> | void;
  /** Clusters of an open file as they lie there; `digests` has theirs, against which each is checked as it is copied. */
  copy(cluster: number, from: { held: Held; at: number }, digests: Uint8Array): Promise<void> | void;
  /** Clusters that read zero. */
  zero(cluster: number, count: number): Promise<void> | void;
  /** Writes what was taken as one batch. */
  pour(): Promise<void>;
}

/** A data file and its digest list while they are made, under temporary names. Without a cluster nothing is made. */
export class Draft implements Receiver {
  readonly #host: Host;
  readonly #plan: DraftPlan;
  readonly #writer: Writer;
  readonly #digests: DigestFile;
  #files: { data: Held; list: Held } | null = null;
  #begun = false;
  #pieces: Piece[] = [];
  #size = 0;
  #data = 0;
  #zero = 0;

  constructor(host: Host, plan: DraftPlan) {
    this.#host = host;
    this.#plan = plan;
    this.#writer = new Writer(plan);
    this.#digests = new DigestFile(host);
  }

  get empty(): boolean {
    return this.#data + this.#zero === 0;
  }

  /** Takes a cluster of data; its bytes must stay until the next `pour`. */
  store(cluster: number, bytes: Uint8Array, digest: Uint8Array): void {
    const at = this.#writer.place(cluster);
    this.#digests.put(at / clusterSize, digest);
    this.#data += 1;
    this.#add(at, bytes);
  }

  /** Takes clusters of an open file as they lie there; `digests` has theirs, against which each is checked as it is copied. */
  copy(cluster: number, from: { held: Held; at: number }, digests: Uint8Array): void {
    const count = digests.length / digestBytes;
    for (let done = 0; done < count; ) {
      const run = Math.min(count - done, windowClusters - ((cluster + done) % windowClusters));
      const at = from.at + done * clusterSize;
      this.#copyRun(cluster + done, { held: from.held, at }, digestsAt(digests, done, run));
      done += run;
    }
  }

  /** Clusters of one window of the guest, which lie behind one another in the file that is made. */
  #copyRun(cluster: number, from: { held: Held; at: number }, sha256: Uint8Array): void {
    const count = sha256.length / digestBytes;
    const places = Array.from({ length: count }, (_, n) => this.#writer.place(cluster + n));
    const at = places[0] as number;
    for (let n = 0; n < count; n += 1) this.#digests.put(at / clusterSize + n, digestAt(sha256, n));
    this.#data += count;
    this.#size = Math.max(this.#size, at + count * clusterSize);
    this.#pieces.push({ from, at, length: count * clusterSize, sha256 });
  }

  /** Takes clusters that read zero; a full leaves them out. */
  zero(cluster: number, count: number): void {
    this.#writer.zero(cluster, count);
    if (this.#plan.type === 'incremental') this.#zero += count;
  }

  #add(at: number, bytes: Uint8Array): void {
    this.#size = Math.max(this.#size, at + bytes.length);
    const last = this.#pieces.at(-1);
    const before = last !== undefined && typeof last.from === 'object' && 'bytes' in last.from ? last.from.bytes : null;
    const follows = before?.buffer === bytes.buffer && before.byteOffset + before.length === bytes.byteOffset;
    if (last === undefined || before === null || !follows || last.at + last.length !== at)
      this.#pieces.push({ from: { bytes }, at, length: bytes.length, sha256: null });
    else {
      const length = before.length + bytes.length;
      last.from = { bytes: new Uint8Array(bytes.buffer, before.byteOffset, length) };
      last.length = length;
    }
  }

  #addBlock({ at, bytes }: Block): void {
    chunkDigests(bytes).forEach((digest, n) => {
      this.#digests.put(at / clusterSize + n, digest);
    });
    this.#add(at, bytes);
  }

  async #make(path: string): Promise<Held | null> {
    await this.#host.change(create(path, '', 0o600));
    const held = this.#host.dry ? null : await this.#host.query(hold(path, { write: true }));
    await this.#host.change(chmod(path, 0o444));
    return held;
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    const data = await this.#make(this.#plan.data);
    const list = await this.#make(this.#plan.digests);
    if (data !== null && list !== null) this.#files = { data, list };
  }

  /** Writes what was taken and the tables of finished windows, as one batch. */
  async pour(): Promise<void> {
    for (const block of this.#writer.ready()) this.#addBlock(block);
    if (this.#pieces.length > 0) await this.#write();
  }

  async #write(): Promise<void> {
    await this.#begin();
    const pieces = this.#pieces.splice(0);
    if (this.#files === null) return;
    await this.#host.change(pour(this.#files.data, pieces, this.#plan.workers));
    await this.#digests.pour(this.#files.list);
  }

  /** Writes the tables, the header last, and makes both files durable. */
  async finish(): Promise<Finished> {
    for (const block of this.#writer.finish()) {
      if (block.at === 0) await this.#write();
      this.#addBlock(block);
    }
    await this.#write();
    await this.#settle();
    const digestsSha256 = await this.#digests.sha256(await this.#listAsWritten());
    return { size: this.#size, dataClusters: this.#data, zeroClusters: this.#zero, digestsSha256 };
  }

  /** The list held anew, for a held file has the size it was opened with. */
  async #listAsWritten(): Promise<Held | null> {
    if (this.#files === null) return null;
    this.#files.list.close();
    this.#files.list = await this.#host.query(hold(this.#plan.digests));
    return this.#files.list;
  }

  async #settle(): Promise<void> {
    if (this.#files === null) return;
    await this.#digests.pour(this.#files.list, true);
    await this.#host.change(flush(this.#files.data));
    await this.#host.change(flush(this.#files.list));
  }

  close(): void {
    this.#files?.data.close();
    this.#files?.list.close();
    this.#files = null;
  }
}
