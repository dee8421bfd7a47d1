import { type BigIntStats, fstatSync, readFileSync } from 'node:fs';
import { majorMinor } from './device.ts';
import { Failure } from './failure.ts';

/** What an open regular file or block device was when it was opened. Sizes in bytes, instants in ns since 1970. */
export interface Inode {
  readonly kind: 'file' | 'block';
  /** `major:minor` of a block device, as in /sys/dev/block. */
  readonly device: string | null;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly birthNs: bigint;
  /** What direct access comes in multiples of. */
  readonly sectorSize: number;
}

/** Direct access to a file asks for the sector of its file system's device, which is at most this on all we know. */
const fileSector = 4096;

const sysNumber = (device: string, file: string) => Number(readFileSync(`/sys/dev/block/${device}/${file}`, 'utf8'));

/** A partition has no queue of its own: its disk's is one folder up. */
function sectorOf(device: string): number {
  try {
    return sysNumber(device, 'queue/logical_block_size');
  } catch {
    return sysNumber(device, '../queue/logical_block_size');
  }
}

function extentOf(path: string, stat: BigIntStats): Pick<Inode, 'kind' | 'device' | 'size' | 'sectorSize'> {
  if (stat.isFile()) return { kind: 'file', device: null, size: Number(stat.size), sectorSize: fileSector };
  if (!stat.isBlockDevice()) throw new Failure('refused', `${path} is neither a regular file nor a block device`);
  const device = majorMinor(stat.rdev);
  return { kind: 'block', device, size: sysNumber(device, 'size') * 512, sectorSize: sectorOf(device) };
}

/** Looks at what `fd` has open; anything but a regular file or a block device is refused. */
export function inodeOf(path: string, fd: number): Inode {
  const stat = fstatSync(fd, { bigint: true });
  const { dev, ino, mtimeNs, birthtimeNs: birthNs } = stat;
  return { ...extentOf(path, stat), dev, ino, mtimeNs, birthNs };
}

const compared = ['device', 'dev', 'ino', 'size', 'mtimeNs'] as const;

/** The same file or device, and not written or resized in between. */
export const unchanged = (a: Inode, b: Inode) => compared.every((name) => a[name] === b[name]);
