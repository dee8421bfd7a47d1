import { viewOf } from './bits.ts';
import type { Finding } from './finding.ts';
import type { Shape } from './shape.ts';

const TWO32 = 2 ** 32;
const PACKED_BIT = 0x40000000;

/** Offset bits 9 to 55 of an entry (qcow2 spec, L1 and standard L2 entries). */
export const hostOf = (hi: number, lo: number): number => (hi & 0x00ffffff) * TWO32 + ((lo & ~0x1ff) >>> 0);

/** Whether an L2 entry is a compressed cluster's. */
export const isPacked = (hi: number): boolean => (hi & PACKED_BIT) !== 0;

/** Offset of a compressed cluster: the low 62-(cluster_bits-8) bits (qcow2 spec, Compressed Clusters Descriptor). */
export const packedAt = (shape: Shape, hi: number, lo: number): number =>
  (hi & (2 ** (38 - shape.clusterBits) - 1)) * TWO32 + lo;

/** Bytes of a compressed cluster: whole sectors after its first one, less the offset within that. */
export function packedLength(shape: Shape, hi: number, lo: number): number {
  const sectors = (hi >>> (38 - shape.clusterBits)) & (2 ** (shape.clusterBits - 8) - 1);
  return (sectors + 1) * 512 - (lo & 0x1ff);
}

const aligned = (shape: Shape, lo: number): boolean => (lo & (shape.clusterSize - 1) & ~0x1ff) === 0;

/** Whether a cluster-sized object at this offset is aligned and inside the file. */
const wholeCluster = (shape: Shape, hi: number, lo: number): boolean =>
  aligned(shape, lo) && hostOf(hi, lo) + shape.clusterSize <= shape.fileSize;

/** The same of a cluster of which QEMU writes only the allocated subclusters: their end is `brokenBitmap`'s. */
const someCluster = (shape: Shape, hi: number, lo: number): boolean =>
  aligned(shape, lo) && hostOf(hi, lo) < shape.fileSize;

/** A geometry rule that one entry can break, or '' for none. */
export type Broken = '' | 'G1' | 'G2' | 'G3' | 'G4' | 'G7';

/** The rule that an L1 entry breaks, or ''. */
export function brokenL1(shape: Shape, hi: number, lo: number): Broken {
  if ((hi & 0x7f000000) !== 0 || (lo & 0x1ff) !== 0) return 'G1';
  return hostOf(hi, lo) === 0 || wholeCluster(shape, hi, lo) ? '' : 'G2';
}

function brokenPacked(shape: Shape, hi: number, lo: number): Broken {
  const at = packedAt(shape, hi, lo);
  const end = at + packedLength(shape, hi, lo);
  return at >= shape.fileSize || end > Math.ceil(shape.fileSize / 512) * 512 ? 'G4' : '';
}

/** The rule that the first word of an L2 entry breaks, or ''. With extended entries bit 0 is reserved, as in version 2. */
export function brokenL2(shape: Shape, hi: number, lo: number): Broken {
  if (isPacked(hi)) return brokenPacked(shape, hi, lo);
  const reserved = shape.version < 3 || shape.extended ? 0x1ff : 0x1fe;
  if ((hi & 0x3f000000) !== 0 || (lo & reserved) !== 0) return 'G1';
  const sound = shape.extended ? someCluster : wholeCluster;
  return hostOf(hi, lo) === 0 || sound(shape, hi, lo) ? '' : 'G3';
}

/** Which subclusters of an extended entry are zero and which are allocated, one bit each, and its host offset. */
export interface Subclusters {
  zero: number;
  allocated: number;
  host: number;
}

/** The rule that an extended entry's bitmap breaks, or ''. An allocated subcluster lies in a host cluster, in the file. */
export function brokenBitmap(shape: Shape, { zero, allocated, host }: Subclusters): Broken {
  if ((zero & allocated) !== 0) return 'G7';
  if (allocated === 0) return '';
  const end = host + (32 - Math.clz32(allocated)) * shape.unit;
  return host === 0 || end > shape.fileSize ? 'G3' : '';
}

const reasons: Record<Broken, string> = {
  '': '',
  G1: 'reserved bits are set',
  G2: 'the L2 table is unaligned or not inside the file',
  G3: 'the data cluster is unaligned or not inside the file',
  G4: 'the compressed cluster is not inside the file',
  G7: 'a subcluster is both allocated and zero',
};

const hexWord = (word: number): string => word.toString(16).padStart(8, '0');

/** The finding about the entry `raw`, a broken one, whose bytes lie at file offset `at`. */
export function entryFinding(raw: Uint8Array, rule: Broken, place: { field: string; at: number }): Finding {
  const view = viewOf(raw);
  const words = Array.from({ length: raw.length / 4 }, (_, word) => hexWord(view.getUint32(word * 4)));
  return { rule, verdict: 'corrupt', ...place, value: `0x${words.join('')}`, message: reasons[rule] };
}
