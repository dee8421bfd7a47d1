/** Who refers to a range of the file: a name, and the file offset of the reference. */
export interface Claimant {
  field: string;
  at: number;
}

/** Takes note of every reference to host clusters; `at` and `length` are file offsets, inside the file. */
export interface Ledger {
  /** A range that must belong to nobody else; false: it does. */
  own(at: number, length: number): boolean;
  /** A compressed cluster, whose host clusters others of its kind may share; false: something else has one. */
  share(at: number, length: number): boolean;
}

const MAX_BITMAPS = 64 * 2 ** 20;
const MAX_COUNTS = 128 * 2 ** 20;
const FULL = 0xffff;

/** Notes nothing. */
export const blindLedger: Ledger = { own: () => true, share: () => true };

/** One bit per host cluster that has an owner, and one for those that compressed clusters share. */
export function claimLedger(fileSize: number, clusterSize: number): Ledger | null {
  const bytes = Math.ceil(fileSize / clusterSize / 8);
  if (2 * bytes > MAX_BITMAPS) return null;
  const [owned, shared] = [new Uint8Array(bytes), new Uint8Array(bytes)];
  const each = (at: number, length: number, note: (byte: number, bit: number) => boolean): boolean => {
    let free = true;
    const last = Math.floor((at + length - 1) / clusterSize);
    for (let cluster = Math.floor(at / clusterSize); cluster <= last; cluster++) {
      free = note(cluster >>> 3, 1 << (cluster & 7)) && free;
    }
    return free;
  };
  const noteOwn = (byte: number, bit: number): boolean => {
    const free = (((owned[byte] as number) | (shared[byte] as number)) & bit) === 0;
    owned[byte] = (owned[byte] as number) | bit;
    return free;
  };
  const noteShare = (byte: number, bit: number): boolean => {
    shared[byte] = (shared[byte] as number) | bit;
    return ((owned[byte] as number) & bit) === 0;
  };
  return { own: (at, length) => each(at, length, noteOwn), share: (at, length) => each(at, length, noteShare) };
}

/** How often each host cluster is referred to, up to 65,535. */
export interface Counts extends Ledger {
  readonly counts: Uint16Array;
}

/** Counts references; null when the file has so many clusters that the counts would not fit in 128 MiB. */
export function countLedger(fileSize: number, clusterSize: number): Counts | null {
  const clusters = Math.ceil(fileSize / clusterSize);
  if (2 * clusters > MAX_COUNTS) return null;
  const counts = new Uint16Array(clusters);
  const count = (at: number, length: number): boolean => {
    const last = Math.floor((at + length - 1) / clusterSize);
    for (let cluster = Math.floor(at / clusterSize); cluster <= last; cluster++) {
      if ((counts[cluster] as number) < FULL) counts[cluster] = (counts[cluster] as number) + 1;
    }
    return true;
  };
  return { own: count, share: count, counts };
}
