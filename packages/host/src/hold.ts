import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { ByteSource } from '@platter/qcow2/source';
import { ShortRead } from '@platter/qcow2/source';
import { type Descriptors, openDirect, readAt } from './direct.ts';
import { errno, Failure } from './failure.ts';
import { Pool } from './pool.ts';

export interface HoldOptions {
  write?: boolean;
  /** O_EXCL: of a block device, nobody else may mount or claim it meanwhile. */
  exclusive?: boolean;
  noFollow?: boolean;
  /** Also past the page cache, where the file system can. */
  direct?: boolean;
}

/** An open regular file or block device and what it was when opened. Sizes in bytes, instants in ns since 1970. */
export interface Held {
  readonly path: string;
  readonly kind: 'file' | 'block';
  /** `major:minor` of a block device, as in /sys/dev/block. */
  readonly device: string | null;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly birthNs: bigint;
  readonly sectorSize: number;
  /** Open now; a pin keeps the number good until it is undone, else the next hold may close it. */
  readonly fd: number;
  readonly direct: number | null;
  pin(): () => void;
  /** Whether what is open still has the identity, size and time it was opened with. */
  same(): boolean;
  close(): void;
}

const fileSector = 4096;

const flagsOf = ({ write, exclusive, noFollow = true }: HoldOptions) =>
  (write ? constants.O_RDWR : constants.O_RDONLY) |
  (exclusive ? constants.O_EXCL : 0) |
  (noFollow ? constants.O_NOFOLLOW : 0) |
  constants.O_NONBLOCK;

/** Linux's encoding of a device number, as in /sys/dev/block (glibc, gnu_dev_major and gnu_dev_minor). */
const deviceName = (rdev: bigint) =>
  `${((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)}:${(rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)}`;

const sysNumber = (device: string, file: string) => Number(readFileSync(`/sys/dev/block/${device}/${file}`, 'utf8'));

/** A partition has no queue of its own: its disk is the folder above. */
function sectorOf(device: string): number {
  try {
    return sysNumber(device, 'queue/logical_block_size');
  } catch {
    return sysNumber(device, '../queue/logical_block_size');
  }
}

function factsOf(path: string, stat: BigIntStats) {
  const { dev, ino, mtimeNs, birthtimeNs: birthNs, rdev } = stat;
  const common = { dev, ino, mtimeNs, birthNs };
  if (stat.isFile()) return { ...common, kind: 'file', device: null, size: Number(stat.size), sectorSize: fileSector } as const;
  if (!stat.isBlockDevice()) throw new Failure('refused', `${path} is neither a regular file nor a block device`);
  const device = deviceName(rdev);
  return { ...common, kind: 'block', device, size: sysNumber(device, 'size') * 512, sectorSize: sectorOf(device) } as const;
}

type Facts = ReturnType<typeof factsOf>;

const factsAt = (path: string, fd: number) => factsOf(path, fstatSync(fd, { bigint: true }));

const equal = (a: Facts, b: Facts) =>
  a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.device === b.device;

function failure(path: string, error: unknown): unknown {
  if (error instanceof Failure) return error;
  const code = errno(error);
  if (code === 'EBUSY') return new Failure('busy', `${path} is in use`, { cause: error });
  if (code === 'ENOENT') return new Failure('refused', `${path} does not exist`, { cause: error });
  if (code === 'ELOOP') return new Failure('refused', `${path} is a symbolic link`, { cause: error });
  return new Failure('failed', `cannot open ${path}: ${(error as Error).message}`, { cause: error });
}

class Hold implements Held {
  readonly path: string;
  readonly kind: Facts['kind'];
  readonly device: string | null;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly birthNs: bigint;
  readonly sectorSize: number;
  readonly direct: number | null;
  readonly #flags: number;
  readonly #facts: Facts;
  readonly #pool: Pool;
  #pins = 0;
}
