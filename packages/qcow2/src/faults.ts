import { bitsOf, hasBit } from './bits.ts';
import { EXTENSION } from './extensions.ts';
import { type Header, leastHeader, soundClusterBits } from './header.ts';
import { shapeOf } from './shape.ts';
import { escapeText } from './text.ts';

// One function per row of the table in judge.ts: what breaks the rule in a header, or null. Pure.

/** What is wrong: the value to show and a clause that says why. */
export type Fault = { value: string | number; message: string } | null;

const MAX_L1 = 4 * 2 ** 20;
const MAX_REFCOUNT_TABLE = 8 * 2 ** 20;

const when = (broken: boolean, value: string | number, message: string): Fault => (broken ? { value, message } : null);

const clusterOf = (h: Header): number => (soundClusterBits(h) ? 2 ** h.clusterBits : Number.NaN);
const has = (h: Header, type: number): boolean => h.extensions.some((extension) => extension.type === type);
const hexType = (type: number): string => type.toString(16).padStart(8, '0');

export function oddBacking(h: Header): Fault {
  if (h.backing === null) return null;
  const { at, length } = h.backing;
  const value = `${at}+${length}`;
  if (at === 0 || length === 0) return { value, message: 'only one of backing name offset and length is given' };
  if (length > 1023) return { value, message: 'backing name is longer than 1023 bytes' };
  const room = Math.min(h.fileSize, soundClusterBits(h) ? clusterOf(h) : h.fileSize);
  const fits = at >= h.headerLength && at + length <= room;
  return when(!fits, value, 'backing name lies outside the first cluster, or in the header itself');
}

/** Where a table must lie: aligned, not at 0, and inside the file. */
function misplaced(h: Header, at: number, bytes: number): string | null {
  if (!Number.isSafeInteger(at) || at % clusterOf(h) !== 0) return 'is not aligned to a cluster';
  if (at === 0) return 'lies on the header';
  return at + bytes > h.fileSize ? 'ends beyond the file' : null;
}

export function l1Entries(h: Header): Fault {
  if (!soundClusterBits(h)) return null;
  if (h.l1.entries > MAX_L1) return { value: h.l1.entries, message: `L1 table has more than ${MAX_L1} entries` };
  const needed = Math.ceil(h.size / shapeOf(h).reach);
  return when(h.l1.entries < needed, h.l1.entries, `L1 table is too small, the size needs ${needed} entries`);
}

export function l1Place(h: Header): Fault {
  if (!soundClusterBits(h) || h.l1.entries > MAX_L1 || (h.size === 0 && h.l1.at === 0)) return null;
  const wrong = misplaced(h, h.l1.at, h.l1.entries * 8);
  return when(wrong !== null, h.l1.at, `L1 table ${wrong}`);
}

export function refcountPlace(h: Header): Fault {
  if (!soundClusterBits(h)) return null;
  const wrong = misplaced(h, h.refcount.at, 0);
  return when(wrong !== null, h.refcount.at, `refcount table ${wrong}`);
}

export function refcountClusters(h: Header): Fault {
  const { at, clusters } = h.refcount;
  if (clusters === 0) return { value: 0, message: 'refcount table is empty' };
  if (!soundClusterBits(h)) return null;
  const bytes = clusters * clusterOf(h);
  if (bytes > MAX_REFCOUNT_TABLE) return { value: clusters, message: 'refcount table is larger than 8 MiB' };
  return when(at > 0 && at + bytes > h.fileSize, clusters, 'refcount table ends beyond the file');
}

/** Incompatible features that nobody here reads, by number and by the name the image gives them. */
export function unknownFeatures(h: Header): Fault {
  const bits = bitsOf(h.incompatible).filter((bit) => bit > 4 || bit === 2);
  const named = bits.map((bit) => {
    const name = h.featureNames.find((feature) => feature.kind === 0 && feature.bit === bit)?.name;
    return bit === 2 ? 'external data file (bit 2)' : name ? `"${name}" (bit ${bit})` : `bit ${bit}`;
  });
  const value = escapeText(named.join(', '));
  return when(bits.length > 0, value, `incompatible features are not supported: ${value}`);
}

export function compression(h: Header): Fault {
  const flagged = hasBit(h.incompatible, 3);
  if (typeof h.compression === 'number') return { value: h.compression, message: 'compression type is unknown' };
  return when(h.compression !== 'zlib' && !flagged, h.compression, 'compression type is given without its feature bit');
}

function headerLengthFault(h: Header): string | null {
  if (h.headerLength < leastHeader(h.version)) return 'header_length is too small';
  if (h.headerLength % 8 !== 0) return 'header_length is not a multiple of 8';
  return h.headerLength > clusterOf(h) ? 'header is larger than a cluster' : null;
}

export function brokenExtensions(h: Header): Fault {
  if (headerLengthFault(h) !== null || !soundClusterBits(h) || h.extensionsEnd !== null) return null;
  const last = h.extensions.at(-1);
  const value = last ? `${hexType(last.type)} of ${last.length} bytes at ${last.at}` : 'no end';
  return { value, message: 'the list of header extensions does not end inside the first cluster' };
}

export function foreignExtensions(h: Header): Fault {
  if (has(h, EXTENSION.dataFile)) {
    const name = escapeText(h.dataFile ?? '');
    return { value: name, message: `it keeps its data in another file: "${name}"` };
  }
  return when(has(h, EXTENSION.crypto), hexType(EXTENSION.crypto), 'it has an encryption header');
}

export function strayFormat(h: Header): Fault {
  const format = escapeText(h.backingFormat ?? '');
  return when(h.backing === null && has(h, EXTENSION.backingFormat), format, 'backing format without a backing file');
}

export function bystanders(h: Header): Fault {
  const known: number[] = Object.values(EXTENSION);
  const unknown = new Set(h.extensions.map(({ type }) => type).filter((type) => !known.includes(type)));
  const shown = [...unknown].slice(0, 8).map(hexType);
  if (has(h, EXTENSION.bitmaps) || hasBit(h.autoclear, 0)) shown.unshift('bitmaps');
  return when(shown.length > 0, shown.join(', '), `it carries ${shown.join(', ')}, which do not come along`);
}

const backingName = (h: Header): string => escapeText(h.backing?.text ?? '');
const damage = (h: Header): string => ['dirty', 'corrupt'].filter((_, bit) => hasBit(h.incompatible, bit)).join(', ');

export const oldVersion = (h: Header): Fault => when(h.version === 2, 2, 'version 2 cannot tell zero from absent');

export const backing = (h: Header): Fault =>
  when(!!h.backing?.at && !!h.backing.length, backingName(h), `backing file "${backingName(h)}"`);

export const clusterBits = (h: Header): Fault =>
  when(!soundClusterBits(h), h.clusterBits, 'cluster_bits are not 9 to 21');

export const size = (h: Header): Fault =>
  when(!(h.size > 0) || h.size % 512 !== 0, h.size, 'virtual size is not a positive multiple of 512 below 2^53');

export const encryption = (h: Header): Fault => when(h.crypt !== 0, h.crypt, 'it is encrypted');

export const snapshots = (h: Header): Fault =>
  when(h.snapshots.count > 0, h.snapshots.count, 'it has internal snapshots');

export const marks = (h: Header): Fault => when(damage(h) !== '', damage(h), `it is marked ${damage(h)}`);

export const smallSubclusters = (h: Header): Fault =>
  when(hasBit(h.incompatible, 4) && h.clusterBits < 14, h.clusterBits, 'extended L2 entries need clusters of 16 KiB');

export const rawDataFile = (h: Header): Fault =>
  when(hasBit(h.autoclear, 1), 'bit 1', 'it claims a raw external data file');

export const refcountOrder = (h: Header): Fault =>
  when(h.refcount.order > 6, h.refcount.order, 'refcount_order is above 6');

export function headerLength(h: Header): Fault {
  const message = headerLengthFault(h);
  return message === null ? null : { value: h.headerLength, message };
}
