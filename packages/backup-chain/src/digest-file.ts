import { createHash } from 'node:crypto';
import { pour } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { type Held, source } from '@platter/host/hold';
import { digestBytes } from './digest.ts';
import { sha256Of } from './digests.ts';

const pageBytes = 65_536;
const perPage = pageBytes / digestBytes;

/** A digest list that is written while its data file is: pages go to the file and leave memory when they are full. */
export class DigestFile {
  readonly #host: Host;
  readonly #pages = new Map<number, { bytes: Uint8Array; filled: number }>();
  #length = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** The digest of chunk `index` of the data file; each chunk once. */
  put(index: number, digest: Uint8Array): void {
    const number = Math.floor(index / perPage);
    const page = this.#pages.get(number) ?? { bytes: new Uint8Array(pageBytes), filled: 0 };
    page.bytes.set(digest, (index % perPage) * digestBytes);
    page.filled += 1;
    this.#pages.set(number, page);
    this.#length = Math.max(this.#length, (index + 1) * digestBytes);
  }

  #part(number: number, bytes: Uint8Array): Uint8Array {
    return bytes.subarray(0, Math.min(pageBytes, this.#length - number * pageBytes));
  }

  /** Writes the pages that are full, or all of them. */
  async pour(to: Held, all = false): Promise<void> {
    const ready = [...this.#pages].filter(([, { filled }]) => all || filled === perPage);
    const pieces = ready.map(([number, { bytes }]) => {
      const part = this.#part(number, bytes);
      return { from: { bytes: part }, at: number * pageBytes, length: part.length, sha256: null };
    });
    if (pieces.length > 0) await this.#host.change(pour(to, pieces));
    for (const [number] of ready) this.#pages.delete(number);
  }

  /** SHA-256 of the list: of the file it was written to, or of what a dry run kept. */
  async sha256(written: Held | null): Promise<string> {
    if (written !== null) return sha256Of(source(written));
    const hash = createHash('sha256');
    for (const [number, { bytes }] of [...this.#pages].sort(([a], [b]) => a - b))
      hash.update(this.#part(number, bytes));
    return hash.digest('hex');
  }
}
