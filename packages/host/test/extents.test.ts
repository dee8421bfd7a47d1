import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareMaps, type Extent, ExtentTable, inOrder, stored, widen, zerosIn } from '../src/extents.ts';
import { extentsOf, readRow } from '../src/tools/filefrag.ts';
import { parseXfsStat } from '../src/tools/xfs-io.ts';

const answer = (name: string) => readFileSync(join(import.meta.dirname, 'answers', name), 'utf8');
const table = (extents: Iterable<Extent>) => {
  const made = new ExtentTable();
  for (const extent of extents) made.push(extent);
  return made;
};
const read = (name: string) => {
  const made = new ExtentTable();
  for (const line of answer(`filefrag/${name}`).split('\n')) readRow(line, made);
  return Array.from({ length: made.count }, (_, index) => made.at(index));
};

describe('filefrag', () => {
  it('reads shared and unwritten extents, with and without the column of expected addresses', () => {
    expect(read('xfs-shared-unwritten')).toEqual([
      { at: 0, length: 8192, address: 1146880, kind: 'data' },
      { at: 8192, length: 4096, address: 1155072, kind: 'data' },
      { at: 12288, length: 1036288, address: 1159168, kind: 'data' },
      { at: 4194304, length: 1048576, address: 98304, kind: 'zero' },
    ]);
    expect(read('hole-only')).toEqual([]);
  });

  it('tells the shared mappings from the others, in any place of the flags', () => {
    const seen: boolean[] = [];
    const sink = { count: 0, push: ({ shared }: { shared: boolean }) => void seen.push(shared) };
    for (const line of answer('filefrag/xfs-shared-unwritten').split('\n')) readRow(line, sink);
    readRow('   4:        0..    8191:   4096..  12287:   8192:             last,shared,eof', sink);
    expect(seen).toEqual([true, false, true, false, true]);
  });

  it('takes compressed and inline extents for opaque', () => {
    expect(new Set(read('btrfs-zstd').map(({ kind }) => kind))).toEqual(new Set(['opaque']));
    expect(read('btrfs-inline')).toEqual([{ at: 0, length: 4096, address: 0, kind: 'opaque' }]);
  });

  it.each([
    ...['encoded', 'inline', 'not_aligned', 'delalloc', 'unknown_loc', 'tail_packed', 'encrypted'],
    'of_a_later_kernel',
  ])('takes an extent that is %s for opaque, whatever else it is', (flag) => {
    const made = new ExtentTable();
    for (const flags of [flag, `last,${flag},eof`, `unwritten,${flag}`, `${flag},shared`])
      readRow(`   0:        0..    4095:       8192..     12287:   4096:             ${flags}`, made);
    expect(Array.from({ length: 4 }, (_, index) => made.at(index).kind)).toEqual(Array(4).fill('opaque'));
  });

  it('could not tell from a line of another shape', () => {
    expect(() => readRow('   0:        0..    8191:  zero..', new ExtentTable())).toThrow('unknown line');
  });

  it('reads what comes in pieces and stops when it knows enough', async () => {
    const chunks = answer('filefrag/btrfs-zstd').match(/[\s\S]{1,7}/g) ?? [];
    let fed = 0;
    const host = {
      query: async ({ watch }: { watch: (chunk: string) => boolean }) => {
        const wanted = chunks.every((chunk) => {
          fed += 1;
          return watch(chunk);
        });
        return { code: wanted ? 0 : null, stdout: '', stderr: '', report: '' };
      },
    };
    const held = { fd: 9, pin: () => () => {} };
    const look = (atMost?: number) => extentsOf(host as never, held as never, atMost === undefined ? {} : { atMost });
    expect((await look()).count).toBe(8);
    fed = 0;
    expect((await look(2)).count).toBe(2);
    expect(fed).toBeLessThan(chunks.length / 2);
  });

  it('reads the number of mappings and the device from xfs_io, which never fails by its exit code', () => {
    expect(parseXfsStat(answer('xfs_io/stat'))).toEqual({ mappings: 3, realtime: false });
    expect(parseXfsStat(answer('xfs_io/stat').replace('[-', '[r')).realtime).toBe(true);
    expect(() => parseXfsStat('fd.path = "x"\n')).toThrow('could not tell');
  });
});

describe('a map', () => {
  const extent = (at: number, address: number, kind: Extent['kind'] = 'data') => ({ at, length: 10, address, kind });
  it.each([
    ['nothing', [], false],
    ['one piece', [extent(0, 100)], false],
    ['pieces with holes between', [extent(0, 100), extent(20, 300)], false],
    ['neighbours that are neighbours on the disk too', [extent(0, 100), extent(10, 110, 'zero')], false],
    ['neighbours that are not', [extent(0, 100), extent(10, 300)], true],
    ['neighbours that lie nobody knows where', [extent(0, 0, 'opaque'), extent(10, 10, 'opaque')], true],
  ])('of %s is split or not', (_, extents, split) => expect(table(extents).isSplit()).toBe(split));
});

/** A disk of numbered blocks, and two files as lists of places on it; negative is unwritten, 0 a hole. */
const block = 4096;
const files = fc.array(fc.integer({ min: -1, max: 6 }), { maxLength: 40 });
const mapped = (places: readonly number[]) =>
  table(
    places.flatMap((place, index) =>
      place === 0
        ? []
        : [
            {
              at: index * block,
              length: block,
              address: Math.abs(place) * block,
              kind: place < 0 ? 'zero' : 'data',
            } as const,
          ],
    ),
  );
const byteAt = (places: readonly number[], index: number) => Math.max(places[index] ?? 0, 0);

describe('the walk over two maps', () => {
  it('names every block whose bytes differ, and no block of one address', () => {
    const law = fc.property(files, files, (a, b) => {
      const size = Math.min(a.length, b.length) * block;
      const found = widen(compareMaps(mapped(a), mapped(b), size), block, size);
      for (let index = 0; index < size / block; index += 1) {
        const inside = found.some(({ at, length }) => at <= index * block && index * block < at + length);
        expect(inside).toBe(byteAt(a, index) !== byteAt(b, index));
      }
    });
    return fc.assert(law);
  });

  it('asks for the content where both are opaque, and only there', () => {
    const opaque = table([{ at: 0, length: 8192, address: 0, kind: 'opaque' }]);
    const plain = table([{ at: 4096, length: 4096, address: 4096, kind: 'data' }]);
    expect([...compareMaps(opaque, opaque, 8192)]).toEqual([{ at: 0, length: 8192, unknown: true }]);
    expect([...compareMaps(opaque, plain, 8192)].map(({ unknown }) => unknown)).toEqual([false, false]);
  });

  it('reads only what one of both stores', () => {
    const law = fc.property(files, files, (a, b) => {
      const size = Math.max(a.length, b.length) * block;
      const places = widen(stored(mapped(a), mapped(b), size), block, size);
      const covered = places.reduce((sum, { length }) => sum + length / block, 0);
      expect(covered).toBe(
        Array.from({ length: size / block }, (_, n) => byteAt(a, n) + byteAt(b, n)).filter(Boolean).length,
      );
    });
    return fc.assert(law);
  });

  it('widens to blocks that ascend, do not touch, and end with the file', () => {
    const ranges = fc.array(fc.record({ at: fc.nat(300_000), length: fc.nat(9000) }));
    const law = fc.property(ranges, fc.constantFrom(512, 4096, 65_536), (some, align) => {
      const size = 200_000 - (200_000 % 512);
      const wide = widen(inOrder(some), align, size);
      let free = -1;
      for (const { at, length } of wide) {
        expect(at).toBeGreaterThan(free);
        expect(at % align).toBe(0);
        expect(length > 0 && ((at + length) % align === 0 || at + length === size)).toBe(true);
        free = at + length;
      }
      for (const { at, length } of some.filter((one) => one.length > 0 && one.at < size))
        expect(wide.some((one) => one.at <= at && Math.min(at + length, size) <= one.at + one.length)).toBe(true);
    });
    return fc.assert(law);
  });

  it('gives as zeros whole blocks that are not stored, the cut last one included', () => {
    const map = table([{ at: 4096, length: 4096, address: 1, kind: 'data' }]);
    const ranges = [{ at: 0, length: 21_000 - (21_000 % 512) }];
    const size = ranges[0]?.length ?? 0;
    expect(zerosIn(ranges, map, { align: 4096, size })).toEqual([
      { at: 0, length: 4096 },
      { at: 8192, length: size - 8192 },
    ]);
    expect(zerosIn(ranges, map, { align: 8192, size })).toEqual([{ at: 8192, length: size - 8192 }]);
  });

  it('sees that a map changed', () => {
    const one = { at: 0, length: 4096, address: 8192, kind: 'data' } as const;
    expect(table([one]).equals(table([one]))).toBe(true);
    expect(table([one]).equals(table([{ ...one, kind: 'zero' }]))).toBe(false);
    expect(table([one]).equals(table([{ ...one, address: 0 }]))).toBe(false);
    expect(table([one]).equals(table([one, { ...one, at: 4096 }]))).toBe(false);
  });

  it('holds a hundred thousand extents in 25 bytes each', () => {
    const many = table(
      Array.from({ length: 100_000 }, (_, n) => ({ at: n * 8192, length: 4096, address: n, kind: 'data' })),
    );
    expect(many.at(99_999)).toEqual({ at: 99_999 * 8192, length: 4096, address: 99_999, kind: 'data' });
  });
});
