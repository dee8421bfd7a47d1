import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unpack } from '../src/clusters.ts';
import { frameLength } from '../src/frame.ts';
import type { Header } from '../src/header.ts';

const cluster = fc.oneof(
  fc.uint8Array({ minLength: 512, maxLength: 512 }),
  fc.nat(255).map((byte) => new Uint8Array(65536).fill(byte)),
  fc.uint8Array({ minLength: 1024, maxLength: 1024 }).map((noise) => {
    const bytes = new Uint8Array(262144);
    for (let at = 0; at < bytes.length; at += 1536) bytes.set(noise.subarray(0, Math.min(1024, bytes.length - at)), at);
    return bytes;
  }),
);

/** A packed cluster and what the next one left behind it. */
function padded(packed: Uint8Array, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(packed.length + rest.length);
  bytes.set(packed);
  bytes.set(rest, packed.length);
  return bytes;
}

const header = (compression: 'zlib' | 'zstd') => ({ compression }) as Header;

describe('frameLength', () => {
  it('is exact, whatever follows the frame', () => {
    fc.assert(
      fc.property(cluster, fc.uint8Array({ maxLength: 600 }), fc.nat(1), (content, rest, sum) => {
        const packed = zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: sum } });
        expect(frameLength(padded(packed, rest))).toBe(packed.length);
        expect(frameLength(packed.subarray(0, packed.length - 1))).toBe(null);
      }),
      { numRuns: 60 },
    );
  });

  it('is null for what is no frame', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(frameLength(bytes)).toBe(null);
      }),
    );
  });
});

describe('unpack', () => {
  it('finds the cluster in a padded slice', () => {
    fc.assert(
      fc.property(cluster, fc.uint8Array({ maxLength: 600 }), (content, rest) => {
        const into = new Uint8Array(content.length);
        unpack(header('zstd'), padded(zstdCompressSync(content), rest), into);
        expect(Buffer.compare(into, content)).toBe(0);
        into.fill(0);
        unpack(header('zlib'), padded(deflateRawSync(content, { windowBits: 12 }), rest), into);
        expect(Buffer.compare(into, content)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it.each(['zlib', 'zstd'] as const)('refuses %s that is short, long or noise', (compression) => {
    const pack = compression === 'zlib' ? deflateRawSync : zstdCompressSync;
    const into = new Uint8Array(4096);
    for (const size of [0, 4095, 4097, 2 ** 24]) {
      expect(() => unpack(header(compression), pack(new Uint8Array(size).fill(3)), into)).toThrow('G6');
    }
    expect(() => unpack(header(compression), new Uint8Array(600).fill(0xa5), into)).toThrow('G6');
    expect(() => unpack(header(compression), new Uint8Array(0), into)).toThrow('G6');
  });
});
