import { constants, openSync, readSync, write } from 'node:fs';
import { promisify } from 'node:util';

/** The unit of digests and of the data path, in bytes. */
export const clusterBytes = 65_536;

/** The most that is written at once, in bytes. */
export const runBytes = 2 * 1024 * 1024;

/**
 * Shared bytes whose address is a multiple of the page size, as O_DIRECT asks for. V8 reserves growable buffers in
 * whole pages; plain ones come from malloc, 16 bytes into a page. Where that ceases to hold, writes fall back by EINVAL.
 */
export const pagedBytes = (length: number): Uint8Array<SharedArrayBuffer> =>
  new Uint8Array(new SharedArrayBuffer(length, { maxByteLength: length }));

/** A second descriptor on what `fd` has open, past the page cache; null where the file system has no O_DIRECT. */
export function openDirect(fd: number, write = false): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, (write ? constants.O_RDWR : constants.O_RDONLY) | constants.O_DIRECT);
  } catch {
    return null;
  }
}

/** One open file by its descriptors: `direct` is past the page cache and takes only multiples of `sector` bytes. */
export interface Descriptors {
  fd: number;
  direct: number | null;
  sector: number;
}

const isInvalid = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EINVAL';

/** How many bytes at the start of a span can pass the page cache: whole sectors at a whole sector. */
const passable = ({ direct, sector }: Descriptors, span: { at: number; length: number }): number =>
  direct === null || span.at % sector !== 0 ? 0 : span.length - (span.length % sector);

/** The whole sectors at the start of a span past the page cache; null where offset, length, address or file forbid it. */
function tryDirect(
  file: Descriptors,
  span: { at: number; length: number },
  io: (fd: number, length: number) => number,
): number | null {
  const length = passable(file, span);
  if (length === 0) return null;
  try {
    return io(file.direct as number, length);
  } catch (error) {
    if (isInvalid(error)) return null;
    throw error;
  }
}

/** Reads until `into` is full or the file ends; says how many bytes came, and how many of them past the page cache. */
export function readAt(file: Descriptors, into: Uint8Array, at: number): { length: number; direct: number } {
  let done = 0;
  let direct = 0;
  while (done < into.length) {
    const span = { at: at + done, length: into.length - done };
    const past = tryDirect(file, span, (fd, length) => readSync(fd, into, done, length, span.at));
    const got = past ?? readSync(file.fd, into, done, span.length, span.at);
    if (got === 0) break;
    done += got;
    direct += past ?? 0;
  }
  return { length: done, direct };
}

const writing = promisify(write);

/** The same for a write that another thread carries out. */
async function putDirect(file: Descriptors, bytes: Uint8Array, at: number): Promise<number | null> {
  const length = passable(file, { at, length: bytes.length });
  if (length === 0) return null;
  try {
    return (await writing(file.direct as number, bytes, 0, length, at)).bytesWritten;
  } catch (error) {
    if (isInvalid(error)) return null;
    throw error;
  }
}

/**
 * Writes all of `bytes` while this thread goes on with other work; they must stay as they are until then. Says how many
 * of them lie in the page cache and still want an fdatasync.
 */
export async function writeBehind(file: Descriptors, bytes: Uint8Array, at: number): Promise<number> {
  let done = 0;
  let buffered = 0;
  while (done < bytes.length) {
    const rest = bytes.subarray(done);
    const past = await putDirect(file, rest, at + done);
    const put = past ?? (await writing(file.fd, rest, 0, rest.length, at + done)).bytesWritten;
    done += put;
    buffered += past === null ? put : 0;
  }
  return buffered;
}
