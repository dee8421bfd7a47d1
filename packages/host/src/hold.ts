import { closeSync, constants, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { type ByteSource, ShortRead } from '@platter/qcow2/source';
import { openDirect, readAt } from './direct.ts';
import type { Fill } from './door.ts';
import { errno, Failure } from './failure.ts';
import { type Inode, inodeOf, unchanged } from './inode.ts';
import { Pool } from './pool.ts';

export interface HoldOptions {
  write?: boolean;
  /** O_EXCL: nobody else may mount or claim the block device meanwhile. */
  exclusive?: boolean;
  noFollow?: boolean;
  /** Also past the page cache, where the file system can. */
  direct?: boolean;
}

export interface Held extends Inode {
  readonly path: string;
  /** Open now. Unless claimed, written or direct it may be another number after the next hold: pin it for longer use. */
  readonly fd: number;
  /** The same past the page cache; null unless asked for and possible. */
  readonly direct: number | null;
  /** Keeps `fd` as it is until the returned function is called. */
  pin(): () => void;
  /** Whether it still has the identity, size and time it was opened with. */
  same(): boolean;
  close(): void;
}

const flagsOf = ({ write = false, exclusive = false, noFollow = true }: HoldOptions) =>
  (write ? constants.O_RDWR : constants.O_RDONLY) |
  (exclusive ? constants.O_EXCL : 0) |
  (noFollow ? constants.O_NOFOLLOW : 0) |
  constants.O_NONBLOCK;

function asFailure(path: string, error: unknown): unknown {
  if (error instanceof Failure) return error;
  const told = (kind: 'busy' | 'refused' | 'failed', what: string) =>
    new Failure(kind, `${path}: ${what}`, { cause: error });
  const code = errno(error);
  if (code === 'EBUSY') return told('busy', 'is mounted or held by another program');
  if (code === 'ENOENT') return told('refused', 'does not exist');
  if (code === 'ELOOP') return told('refused', 'is a symbolic link');
  return told('failed', (error as Error).message);
}

/** Runs `look`, and closes `fd` when it fails. */
function orClose<T>(fd: number, look: () => T): T {
  try {
    return look();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

type Descriptor = Pick<Held, 'direct' | 'pin' | 'close'> & { current(): number };

/** What is claimed, written or direct must stay one open file to the end. */
function lasting(fd: number, direct: number | null): Descriptor {
  const close = () => {
    closeSync(fd);
    if (direct !== null) closeSync(direct);
  };
  return { direct, current: () => fd, pin: () => () => {}, close };
}

/** A descriptor that the pool may close between uses. */
function lent(pool: Pool, fd: number, open: () => number): Descriptor {
  let pins = 0;
  const one = { open, pinned: () => pins > 0 };
  const pin = () => {
    pool.fd(one);
    pins += 1;
    return () => {
      pins -= 1;
    };
  };
  pool.adopt(one, fd);
  return { direct: null, current: () => pool.fd(one), pin, close: () => pool.drop(one) };
}

function reopened(path: string, flags: number, was: Inode): number {
  const fd = openSync(path, flags);
  const same = orClose(fd, () => unchanged(inodeOf(path, fd), was));
  if (same) return fd;
  closeSync(fd);
  throw new Failure('corrupt', `${path} was replaced or changed while in use`);
}

function descriptorOf(pool: Pool, path: string, options: HoldOptions): { inode: Inode; descriptor: Descriptor } {
  const flags = flagsOf(options);
  const fd = pool.make(() => openSync(path, flags));
  const inode = orClose(fd, () => inodeOf(path, fd));
  if (options.write || options.exclusive || options.direct)
    return { inode, descriptor: lasting(fd, options.direct ? openDirect(fd, options.write) : null) };
  return { inode, descriptor: lent(pool, fd, () => reopened(path, flags, inode)) };
}

function guarded<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw asFailure(path, error);
  }
}

/** `hold` over descriptors of its own, of which at most `limit` are open. */
export function holder(limit: number): (path: string, options?: HoldOptions) => Held {
  const pool = new Pool(limit);
  return (path, options = {}) => {
    const { inode, descriptor } = guarded(path, () => descriptorOf(pool, path, options));
    return {
      ...inode,
      path,
      direct: descriptor.direct,
      get fd() {
        return guarded(path, descriptor.current);
      },
      pin: () => guarded(path, descriptor.pin),
      same: () => unchanged(inodeOf(path, descriptor.current()), inode),
      close: descriptor.close,
    };
  };
}

/**
 * Opens a regular file or block device and notes what it is. A path that is missing, a symbolic link (unless
 * `noFollow` is false) or anything else is refused; a device in use is busy; all else failed. Never blocks on a FIFO.
 */
export const hold = holder(256);

const reading = promisify(read);

/** Fills a buffer while signals are still heard. */
export async function fill({ held, into, at }: Fill): Promise<undefined> {
  const release = held.pin();
  try {
    for (let done = 0; done < into.length; ) {
      const { bytesRead } = await reading(held.fd, into, done, into.length - done, at + done);
      if (bytesRead === 0) throw new Failure('busy', `${held.path} became shorter while it was read`);
      done += bytesRead;
    }
  } catch (error) {
    throw asFailure(held.path, error);
  } finally {
    release();
  }
}

/** The bytes of what is held; a read the file cannot fill rejects ShortRead, one that fails Failure failed. */
export function source(held: Held): ByteSource {
  return {
    size: held.size,
    async read(at, length) {
      if (at < 0 || length < 0 || at + length > held.size) throw new ShortRead(at, length);
      const bytes = new Uint8Array(length);
      const got = guarded(held.path, () => readAt({ fd: held.fd, direct: null, sector: held.sectorSize }, bytes, at));
      if (got.length < length) throw new ShortRead(at, length);
      return bytes;
    },
  };
}
