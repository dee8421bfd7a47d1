import { describe, expect, it } from 'vitest';
import { putU64, viewOf } from '../src/bits.ts';
import type { Shape } from '../src/shape.ts';
import { decode, newTable } from '../src/table.ts';

const shape = (clusterBits: number, fileSize: number): Shape => ({
  version: 3,
  fileSize,
  clusterBits,
  clusterSize: 2 ** clusterBits,
  extended: false,
  entrySize: 8,
  units: 1,
  unit: 2 ** clusterBits,
  reach: 2 ** (2 * clusterBits - 3),
});

function decodeOne(of: Shape, hi: number, lo: number) {
  const raw = new Uint8Array(8);
  viewOf(raw).setUint32(0, hi);
  viewOf(raw).setUint32(4, lo);
  const table = newTable(1);
  const damaged = decode(of, raw, table);
  return { damaged, kind: table.kind[0], host: table.host[0], packed: table.packed[0] };
}

describe('L2 entries', () => {
  const offsets = [
    2 ** 31 - 65536,
    2 ** 31,
    2 ** 32 - 65536,
    2 ** 32,
    2 ** 32 + 65536,
    2 ** 40 + 65536,
    2 ** 53 - 65536,
  ];

  it.each(offsets)('a data cluster at %i', (offset) => {
    const raw = new Uint8Array(8);
    putU64(viewOf(raw), 0, offset);
    const [hi, lo] = [viewOf(raw).getUint32(0), viewOf(raw).getUint32(4)];
    const found = { damaged: 0, kind: 2, host: offset, packed: 0 };
    expect(decodeOne(shape(16, offset + 65536), hi, lo)).toEqual(found);
    expect(decodeOne(shape(16, offset + 65536), (hi | 0x80000000) >>> 0, lo)).toEqual(found);
    expect(decodeOne(shape(16, offset + 65535), hi, lo).damaged).toBe(1);
  });

  it('bits 53 to 55 of an offset are kept, so that it lies beyond any file', () => {
    expect(decodeOne(shape(16, Number.MAX_SAFE_INTEGER), 0x00800000, 0).damaged).toBe(1);
  });

  it.each([9, 12, 16, 21])('a compressed cluster with cluster_bits %i', (clusterBits) => {
    const of = shape(clusterBits, 2 ** 45);
    const width = 38 - clusterBits;
    const sectors = 2 ** (clusterBits - 8) - 1;
    const hi = (0x40000000 + sectors * 2 ** width + 7) >>> 0;
    const offset = 7 * 2 ** 32 + 0x80000123;
    const found = decodeOne(of, hi, 0x80000123);
    expect(found).toEqual({ damaged: 0, kind: 3, host: offset, packed: (sectors + 1) * 512 - 0x123 });
  });

  it('a zero flag wins over an offset', () => {
    expect(decodeOne(shape(16, 2 ** 20), 0x80000000, 65536 + 1).kind).toBe(1);
  });
});
