import { hasBit } from './bits.ts';
import type { Header } from './header.ts';

/** The sizes that follow from a header. A unit is a cluster, or with extended L2 entries a subcluster. */
export interface Shape {
  readonly version: number;
  readonly fileSize: number;
  readonly clusterBits: number;
  readonly clusterSize: number;
  readonly extended: boolean;
  /** Bytes of one L2 entry. */
  readonly entrySize: number;
  /** Units that one L2 entry describes. */
  readonly units: number;
  /** Guest bytes of one unit. */
  readonly unit: number;
  /** Guest bytes that one L2 table describes. */
  readonly reach: number;
}

/** Sizes of an image whose cluster_bits are in range (qcow2 spec, Header; Extended L2 Entries). */
export function shapeOf(header: Header): Shape {
  const clusterSize = 2 ** header.clusterBits;
  const extended = hasBit(header.incompatible, 4);
  const entrySize = extended ? 16 : 8;
  const units = extended ? 32 : 1;
  const { version, fileSize, clusterBits } = header;
  const reach = (clusterSize / entrySize) * clusterSize;
  return { version, fileSize, clusterBits, clusterSize, extended, entrySize, units, unit: clusterSize / units, reach };
}
