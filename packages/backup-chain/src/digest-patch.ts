import type { Piece } from '@platter/host/pour';
import { digestBytes } from './digest.ts';

/** Changes to a digest list: the digests of some chunks of its data file. */
export class DigestPatch {
  readonly #digests = new Map<number, Uint8Array>();

  /** The digest of chunk `index`; the last one said counts. */
  put(index: number, digest: Uint8Array): void {
    this.#digests.set(index, digest);
  }

  /** What was put since the last time, as it is written to the list; digests that follow each other as one piece. */
  take(): Piece[] {
    const entries = [...this.#digests].sort(([a], [b]) => a - b);
    this.#digests.clear();
    const pieces: Piece[] = [];
    for (let first = 0; first < entries.length; ) {
      const index = entries[first]?.[0] as number;
      let count = 1;
      while (entries[first + count]?.[0] === index + count) count += 1;
      const bytes = Buffer.concat(entries.slice(first, first + count).map(([, digest]) => digest));
      pieces.push({ from: { bytes }, at: index * digestBytes, length: bytes.length, sha256: null });
      first += count;
    }
    return pieces;
  }
}
