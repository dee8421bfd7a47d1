import { readFileSync, writeFileSync } from 'node:fs';
import { dataFile, type Fixture, forge, manifestFile, patch, u32, u64 } from '../repository.ts';

/** Where our writer puts the L1 table. */
export const l1At = 65_536;
const offsetBits = 0x00fffffffffffe00n;
const used = 1n << 63n;

const wordAt = (path: string, at: number): bigint => readFileSync(path).readBigUInt64BE(at);

/** The place of the L2 table of a layer. */
export const l2At = (f: Fixture, n: number): number => Number(wordAt(dataFile(f, n), l1At) & offsetBits);

/** The place of the first L2 entry of a layer that points to data. */
export function firstEntry(f: Fixture, n: number): number {
  const [bytes, at] = [readFileSync(dataFile(f, n)), l2At(f, n)];
  for (let entry = at; entry < at + 65_536; entry += 8) if (bytes.readBigUInt64BE(entry) > 1n) return entry;
  throw new Error('no entry');
}

/** The place of the first refcount block of a layer. */
export const refcountsAt = (f: Fixture, n: number): number =>
  Number(wordAt(dataFile(f, n), Number(wordAt(dataFile(f, n), 48))));

/** The host offset of a guest cluster in a layer. */
export const hostOf = (f: Fixture, n: number, cluster: number): number =>
  Number(wordAt(dataFile(f, n), l2At(f, n) + cluster * 8) & offsetBits);

/** Puts an entry of a table, used and pointing to `host`. */
export const point = (host: number | bigint): number[] => u64(used | BigInt(host));

/** Overwrites a part of a layer. */
export const bytes =
  (n: number, at: number, content: number[]) =>
  (f: Fixture): void =>
    patch(dataFile(f, n), at, content);

/** Gives a layer a backing name. */
export const backed =
  (n: number, name: string) =>
  (f: Fixture): void => {
    bytes(n, 8, [...u64(512n), ...u32(name.length)])(f);
    bytes(n, 512, [...Buffer.from(name)])(f);
  };

/** Changes what the manifest of a point says, its own digest made right again. */
export const manifest =
  (n: number, change: (m: Record<string, unknown>, f: Fixture) => void) =>
  (f: Fixture): void =>
    forge(manifestFile(f, n), (m) => change(m, f));

/** Changes the text of the manifest of i1. */
export const text =
  (change: (text: string) => string) =>
  (f: Fixture): void =>
    writeFileSync(manifestFile(f, 1), change(readFileSync(manifestFile(f, 1), 'utf8')));
