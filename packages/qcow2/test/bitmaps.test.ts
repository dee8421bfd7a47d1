import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bitmaps, dirty } from '../src/bitmaps.ts';
import { putU64, viewOf } from '../src/bits.ts';
import { openLayer } from '../src/open.ts';
import { bytesSource, ShortRead } from '../src/source.ts';

/**
 * As qemu-img 7.2 and qemu-io wrote it: 512 KiB in clusters of 512; bitmap "one" (512) after writes of 1k+3k, 100k+64k
 * and 511k+1k, bitmap "two-longer-name" (64k) disabled before them.
 */
const captured = gunzipSync(readFileSync(join(import.meta.dirname, 'answers/bitmaps.qcow2.gz')));
const K = 1024;
const extension = 0x78;
const directory = 0x13200;

const layerOf = (bytes: Uint8Array) => openLayer(bytesSource(bytes), 'attach');

async function rangesOf(bytes: Uint8Array, name = 'one'): Promise<[number, number][]> {
  const found: [number, number][] = [];
  for await (const { at, length } of dirty(await layerOf(bytes), name)) found.push([at, length]);
  return found;
}

/** The captured image with some bytes changed. */
function changed(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = Uint8Array.from(captured);
  change(viewOf(bytes), bytes);
  return bytes;
}

const tableAt = (view: DataView): number => Number(view.getBigUint64(directory));

describe('bitmaps', () => {
  it('of a captured image, by name, granularity and flags', async () => {
    expect(await bitmaps(await layerOf(captured))).toEqual([
      { name: 'one', granularity: 512, inUse: false, enabled: true },
      { name: 'two-longer-name', granularity: 65_536, inUse: false, enabled: false },
    ]);
  });

  it('mark what was written since, joined and ascending', async () => {
    expect(await rangesOf(captured)).toEqual([
      [1 * K, 3 * K],
      [100 * K, 64 * K],
      [511 * K, 1 * K],
    ]);
    expect(await rangesOf(captured, 'two-longer-name')).toEqual([]);
  });

  it('without the autoclear bit do not count', async () => {
    const bytes = changed((view) => view.setUint32(92, 0));
    expect(await bitmaps(await layerOf(bytes))).toEqual([]);
    await expect(rangesOf(bytes)).rejects.toMatchObject({ name: 'Refused' });
  });

  it.each<[string, (view: DataView) => void, [number, number][]]>([
    ['all set by one entry', (view) => putU64(view, tableAt(view), 1), [[0, 512 * K]]],
    ['all clear by one entry', (view) => putU64(view, tableAt(view), 0), []],
    [
      'every other bit',
      (view) => {
        const data = Number(view.getBigUint64(tableAt(view)));
        for (let at = 0; at < 128; at += 1) view.setUint8(data + at, at === 0 ? 0x55 : 0);
      },
      [0, 2, 4, 6].map((n) => [n * 512, 512]),
    ],
    [
      'bits behind the end of the disk',
      (view) => putU64(view, 24, 511 * K),
      [
        [1 * K, 3 * K],
        [100 * K, 64 * K],
      ],
    ],
    [
      'a last bit that the end of the disk cuts',
      (view) => {
        view.setUint8(directory + 17, 12);
        putU64(view, 24, 510 * K);
        const data = Number(view.getBigUint64(tableAt(view)));
        for (let at = 0; at < 128; at += 1) view.setUint8(data + at, at === 15 ? 0x80 : 0);
      },
      [[508 * K, 2 * K]],
    ],
  ])('%s', async (_, change, ranges) => expect(await rangesOf(changed(change))).toEqual(ranges));

  it.each<[string, (view: DataView) => void]>([
    ['an extension of another length', (view) => view.setUint32(extension - 4, 16)],
    ['a directory beyond the file', (view) => putU64(view, extension + 16, 2 ** 40)],
    ['a directory off a cluster', (view) => putU64(view, extension + 16, directory + 8)],
    ['a directory of 2^63 bytes', (view) => view.setUint32(extension + 8, 0x80000000)],
    ['a directory of 8 MiB', (view) => putU64(view, extension + 8, 2 ** 23)],
    ['four billion bitmaps', (view) => view.setUint32(extension, 0xffffffff)],
    ['more bitmaps than entries', (view) => view.setUint32(extension, 3)],
    ['a name of 65535 bytes', (view) => view.setUint16(directory + 18, 65_535)],
    ['no name', (view) => view.setUint16(directory + 18, 0)],
    ['extra data', (view) => view.setUint32(directory + 20, 8)],
    ['extra data of 4 GiB', (view) => view.setUint32(directory + 20, 0xfffffff8)],
    ['another type', (view) => view.setUint8(directory + 16, 2)],
    ['granularity 2^8', (view) => view.setUint8(directory + 17, 8)],
    ['granularity 2^32', (view) => view.setUint8(directory + 17, 32)],
    ['an unknown flag', (view) => view.setUint32(directory + 12, 6)],
    ['a table at 0', (view) => putU64(view, directory, 0)],
    ['a table off a cluster', (view) => view.setUint8(directory + 7, 1)],
    ['a table of two terabytes', (view) => view.setUint32(directory + 8, 0xffffffff)],
    ['a table beyond the file', (view) => putU64(view, directory, 2 ** 40)],
    ['a table that is too long', (view) => view.setUint32(directory + 8, 2)],
    ['a reserved bit in the table', (view) => putU64(view, tableAt(view), 2)],
    ['a high reserved bit in the table', (view) => view.setUint8(tableAt(view), 0x80)],
    ['data that is all set as well', (view) => view.setUint8(tableAt(view) + 7, 1)],
    ['data beyond the file', (view) => putU64(view, tableAt(view), 2 ** 40)],
    ['the mark of a writer that did not close it', (view) => view.setUint32(directory + 12, 3)],
  ])('%s is refused', async (_, change) => {
    const bytes = changed(change);
    await expect(rangesOf(bytes)).rejects.toMatchObject({ name: 'Refused' });
  });

  it('that are in use are listed as such', async () => {
    const bytes = changed((view) => view.setUint32(directory + 12, 3));
    expect((await bitmaps(await layerOf(bytes)))[0]).toMatchObject({ inUse: true, enabled: true });
  });
});

/** How many images with spoilt bitmaps are read; PLATTER_ROUNDS asks for more. */
const ROUNDS = Number(process.env.PLATTER_ROUNDS ?? 10_000);
const SEED = Number(process.env.PLATTER_SEED ?? 1);
const nasty = [0, 1, 2, 3, 24, 511, 512, 0xffff, 2 ** 31, 2 ** 32 - 1, 2 ** 40, 2 ** 53 - 512];

describe('a spoilt image', () => {
  it(`of ${ROUNDS} is read or refused, inside the file and in bounded time`, { timeout: 30 * ROUNDS }, async () => {
    let state = (SEED * 2654435761) >>> 0 || 1;
    const roll = (limit: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    const table = tableAt(viewOf(captured));
    const places = [
      [extension - 8, 32],
      [directory, 72],
      [table, 16],
    ] as const;
    const seen = { read: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const bytes = changed((view, all) => {
        for (let n = 1 + roll(3); n > 0; n -= 1) {
          const [from, length] = places[roll(places.length)] as (typeof places)[number];
          const at = from + roll(length);
          if (roll(2) === 0) all[at] = roll(256);
          else putU64(view, Math.min(at & ~3, from + length - 8), nasty[roll(nasty.length)] as number);
        }
      });
      let total = 0;
      const source = {
        size: bytes.length,
        read: async (at: number, length: number) => {
          total += length;
          if (!(at >= 0 && length >= 0 && at + length <= bytes.length)) throw new ShortRead(at, length);
          return bytes.subarray(at, at + length);
        },
      };
      const use = async () => {
        const layer = await openLayer(source, 'attach');
        for (const { name } of await bitmaps(layer))
          for await (const { length } of dirty(layer, name)) expect(length).toBeGreaterThan(0);
      };
      const error = await use().then(
        () => null,
        (one: Error) => one.name,
      );
      expect([null, 'Refused'], `round ${round}`).toContain(error);
      expect(total).toBeLessThan(2 ** 20);
      seen[error === null ? 'read' : 'refused'] += 1;
    }
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(ROUNDS / 20);
  });
});
