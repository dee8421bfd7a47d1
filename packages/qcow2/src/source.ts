/** Bytes at offsets: a file that `host` holds open, a member of an archive, or memory. */
export interface ByteSource {
  readonly size: number;
  /** Exactly `length` bytes from `at`, or rejects `ShortRead`. The caller must not write into them. */
  read(at: number, length: number): Promise<Uint8Array>;
}

/** The source ends before the bytes that were asked for. */
export class ShortRead extends Error {
  override readonly name = 'ShortRead';
  readonly at: number;
  readonly length: number;
  constructor(at: number, length: number) {
    super(`the source has no ${length} bytes at ${at}`);
    this.at = at;
    this.length = length;
  }
}

const inside = (size: number, at: number, length: number): boolean => at >= 0 && length >= 0 && at + length <= size;

/** A source over bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(at, length) {
      if (!inside(bytes.length, at, length)) throw new ShortRead(at, length);
      return bytes.subarray(at, at + length);
    },
  };
}

/** The `length` bytes of `source` from `at`, as a source of their own; reads never leave them. */
export function slice(source: ByteSource, at: number, length: number): ByteSource {
  return {
    size: length,
    async read(from, count) {
      if (!inside(length, from, count)) throw new ShortRead(from, count);
      return source.read(at + from, count);
    },
  };
}
