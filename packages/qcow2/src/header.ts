import { u64, viewOf } from './bits.ts';
import { type Extension, type FeatureName, featureNames, walkExtensions } from './extensions.ts';
import type { ByteSource } from './source.ts';
import { escapeText } from './text.ts';

/** The magic `51 46 49 fb` is missing. */
export class NotQcow2 extends Error {
  override readonly name = 'NotQcow2';
  constructor() {
    super('not a qcow2 image');
  }
}

/** A qcow2 header as it stands in the file; nothing in it has been judged. Offsets above 2^53-1 are NaN. */
export interface Header {
  version: number;
  clusterBits: number;
  /** Guest bytes. */
  size: number;
  crypt: number;
  /** The name is escaped; it is never opened. */
  backing: { at: number; length: number; text: string } | null;
  l1: { at: number; entries: number };
  refcount: { at: number; clusters: number; order: number };
  snapshots: { at: number; count: number };
  incompatible: bigint;
  compatible: bigint;
  autoclear: bigint;
  headerLength: number;
  compression: 'zlib' | 'zstd' | number;
  extensions: Extension[];
  /** Where the list of extensions ends as it should; null where it does not. */
  extensionsEnd: number | null;
  backingFormat?: string;
  dataFile?: string;
  featureNames: FeatureName[];
  /** Bytes of the source. */
  fileSize: number;
}

const MAGIC = 0x514649fb;
const FIXED = 112;
const NAME_MAX = 1023;

/** Bytes of the smallest header of a version (qcow2 spec, Header). */
export const leastHeader = (version: number): number => (version < 3 ? 72 : 104);

/** Whether cluster_bits are 9 to 21, so that sizes can be reckoned from them. */
export const soundClusterBits = (header: { clusterBits: number }): boolean =>
  header.clusterBits >= 9 && header.clusterBits <= 21;

/** Fields that a version 2 header does not have take their defaults (qcow2 spec, Header). */
function versionFields(view: DataView, version: number) {
  if (version < 3) {
    const zlib = { incompatible: 0n, compatible: 0n, autoclear: 0n, compression: 'zlib' as const };
    return { ...zlib, order: 4, headerLength: 72 };
  }
  const headerLength = view.getUint32(100);
  const type = headerLength > 104 ? view.getUint8(104) : 0;
  const compression: Header['compression'] = type === 0 ? 'zlib' : type === 1 ? 'zstd' : type;
  const features = { incompatible: view.getBigUint64(72), compatible: view.getBigUint64(80) };
  return { ...features, autoclear: view.getBigUint64(88), compression, order: view.getUint32(96), headerLength };
}

function backingOf(head: Uint8Array): Header['backing'] {
  const view = viewOf(head);
  const [at, length] = [u64(view, 8), view.getUint32(16)];
  if (at === 0 && length === 0) return null;
  const readable = length <= NAME_MAX && at + length <= head.length;
  return { at, length, text: readable ? escapeText(head.subarray(at, at + length), 4 * NAME_MAX) : '' };
}

/** The first cluster as far as it exists, zero-padded to the fixed fields. */
async function readHead(source: ByteSource): Promise<Uint8Array> {
  const fixed = await source.read(0, Math.min(FIXED, source.size));
  const clusterBits = fixed[23] ?? 0;
  const limit = soundClusterBits({ clusterBits }) ? 2 ** clusterBits : 65536;
  const bytes = await source.read(0, Math.min(limit, source.size));
  if (bytes.length >= FIXED) return bytes;
  const head = new Uint8Array(FIXED);
  head.set(bytes);
  return head;
}

/**
 * Reads a header and its extensions: at most the first cluster, whatever the fields claim.
 * Everything readable is filled in, the rest is zero. Rejects `NotQcow2` only.
 */
export async function parseHeader(source: ByteSource): Promise<Header> {
  const head = await readHead(source);
  const view = viewOf(head);
  if (source.size < 4 || view.getUint32(0) !== MAGIC) throw new NotQcow2();
  const version = view.getUint32(4);
  const { order, ...fields } = versionFields(view, version);
  const backing = backingOf(head);
  const room = Math.min(head.length, source.size);
  const from = fields.headerLength < leastHeader(version) ? room : fields.headerLength;
  const walk = walkExtensions(viewOf(head.subarray(0, room)), from, backing?.at ?? null);
  const text = (type: number): string | undefined => {
    const found = walk.extensions.find((extension) => extension.type === type);
    return found && escapeText(head.subarray(found.at, Math.min(room, found.at + found.length)), NAME_MAX);
  };
  const [backingFormat, dataFile] = [text(0xe2792aca), text(0x44415441)];
  return {
    version,
    clusterBits: view.getUint32(20),
    size: u64(view, 24),
    crypt: view.getUint32(32),
    backing,
    l1: { at: u64(view, 40), entries: view.getUint32(36) },
    refcount: { at: u64(view, 48), clusters: view.getUint32(56), order },
    snapshots: { at: u64(view, 64), count: view.getUint32(60) },
    ...fields,
    ...walk,
    ...(backingFormat !== undefined && { backingFormat }),
    ...(dataFile !== undefined && { dataFile }),
    featureNames: featureNames(head, walk.extensions),
    fileSize: source.size,
  };
}
