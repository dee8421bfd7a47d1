import type { ByteSource } from '@platter/qcow2/source';

/** Formats that disks come in. Raw has no signature: somebody must say so. */
export const formats = ['qcow2', 'raw', 'vmdk', 'ova', 'gcp-tar'] as const;
export type Format = (typeof formats)[number];

/** What the first bytes are: a disk format, something else that has a name and a way to unpack it, or neither. */
export type Recognised =
  | { kind: 'disk'; format: Exclude<Format, 'raw'> }
  | { kind: 'named'; what: string; way: string }
  | { kind: 'unknown' };

interface Magic {
  at: number;
  bytes: string;
  is: Recognised;
}

const disk = (format: Exclude<Format, 'raw'>): Recognised => ({ kind: 'disk', format });
const named = (what: string, way: string): Recognised => ({ kind: 'named', what, way });
const converted = (driver: string) => `convert it where it comes from: qemu-img convert -f ${driver} -O qcow2`;

/** Signatures of the formats' specifications, as latin1; the first that fits wins. */
const magics: readonly Magic[] = [
  { at: 0, bytes: 'QFI\xfb', is: disk('qcow2') },
  { at: 0, bytes: 'QED\0', is: named('a QED image', converted('qed')) },
  { at: 0, bytes: 'KDMV', is: disk('vmdk') },
  { at: 0, bytes: 'COWD', is: disk('vmdk') },
  { at: 0, bytes: '# Disk DescriptorFile', is: disk('vmdk') },
  { at: 0, bytes: 'vhdxfile', is: named('a VHDX image', converted('vhdx')) },
  { at: 0, bytes: 'conectix', is: named('a VHD image', converted('vpc')) },
  { at: 64, bytes: '\x7f\x10\xda\xbe', is: named('a VDI image', converted('vdi')) },
  { at: 0, bytes: 'WithoutFreeSpace', is: named('a Parallels image', converted('parallels')) },
  { at: 0, bytes: 'WithouFreSpacExt', is: named('a Parallels image', converted('parallels')) },
  { at: 0, bytes: '\xfd7zXZ\0', is: named('an xz archive', 'unpack it: xz -d') },
  { at: 0, bytes: '\x28\xb5\x2f\xfd', is: named('a zstd archive', 'unpack it: zstd -d') },
  { at: 0, bytes: 'BZh', is: named('a bzip2 archive', 'unpack it: bzip2 -d') },
  { at: 0, bytes: 'PK\x03\x04', is: named('a zip archive', 'unpack it: unzip') },
  { at: 32769, bytes: 'CD001', is: named('an ISO 9660 image', 'it is a CD, not a disk: attach it as one') },
];

const headBytes = 65536;

/** What a file is by its content alone: its first 64 KiB and its last 512 bytes are read, nothing is followed. */
export async function recognise(source: ByteSource): Promise<Recognised> {
  const head = Buffer.from(await source.read(0, Math.min(headBytes, source.size)));
  const found = magics.find(({ at, bytes }) => head.toString('latin1', at, at + bytes.length) === bytes);
  if (found !== undefined) return found.is;
  if (head.toString('latin1', 0, 2) === '\x1f\x8b') return inflated(head);
  if (firstMember(head)?.endsWith('.ovf')) return disk('ova');
  return endsAsVhd(source);
}

/** A fixed VHD is raw but for its last 512 bytes (VHD specification, Hard Disk Footer Format). */
async function endsAsVhd(source: ByteSource): Promise<Recognised> {
  if (source.size < 512) return { kind: 'unknown' };
  const tail = await source.read(source.size - 512, 8);
  const vhd = Buffer.from(tail).toString('latin1') === 'conectix';
  return vhd ? named('a VHD image', converted('vpc')) : { kind: 'unknown' };
}

/** A gzip stream by the start of what it holds; 4 KiB are inflated, which cannot be more than 4 MiB. */
async function inflated(head: Buffer): Promise<Recognised> {
  const gzip = named('a gzip archive', 'unpack it: gzip -d');
  const { constants, gunzipSync } = await import('node:zlib');
  try {
    const start = gunzipSync(head.subarray(0, 4096), { finishFlush: constants.Z_SYNC_FLUSH });
    return /^(\.\/)?disk\.raw$/.test(firstMember(start) ?? '') ? disk('gcp-tar') : gzip;
  } catch {
    return gzip;
  }
}

const block = 512;

/** The name of the first real member of a tar archive (POSIX ustar): headers that only extend the next are passed. */
function firstMember(tar: Buffer): string | undefined {
  for (let at = 0; at + block <= tar.length; ) {
    if (tar.toString('latin1', at + 257, at + 262) !== 'ustar') return undefined;
    const type = tar.toString('latin1', at + 156, at + 157);
    if (!'xgLK'.includes(type)) return tar.toString('utf8', at, at + 100).split('\0')[0];
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8);
    if (!(size >= 0)) return undefined;
    at += block + Math.ceil(size / block) * block;
  }
  return undefined;
}
