import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compose } from '../src/clusters.ts';
import { canonical } from '../src/geometry.ts';
import { type Layer, openLayer } from '../src/open.ts';
import { Patch } from '../src/patch.ts';
import { bytesSource } from '../src/source.ts';
import { type Block, Writer } from '../src/writer.ts';

const CLUSTER = 65536;
const WINDOW = 8192;

/** What each cluster of a guest holds; what is not there is zero. */
type Content = ReadonlyMap<number, number>;

const stamp = (version: number): Uint8Array => new Uint8Array(CLUSTER).fill(version);
const opened = (bytes: Uint8Array): Promise<Layer> => openLayer(bytesSource(bytes), 'full');

function put(bytes: Uint8Array, { at, bytes: block }: Block): Uint8Array {
  const size = Math.max(bytes.length, at + block.length);
  const grown = size === bytes.length ? bytes : new Uint8Array(size);
  if (grown !== bytes) grown.set(bytes);
  grown.set(block, at);
  return grown;
}

function full(virtualSize: number, content: Content): Uint8Array {
  const writer = new Writer({ virtualSize, type: 'full' });
  const blocks: Block[] = [];
  for (const [cluster, version] of [...content].sort(([a], [b]) => a - b))
    blocks.push({ at: writer.place(cluster), bytes: stamp(version) });
  return [...blocks, ...writer.finish()].reduce(put, new Uint8Array(0));
}

/** A cluster and what becomes of it: null is dropped. */
type Change = readonly [cluster: number, version: number | null];

/** Patches an image and punches what it gives back; also tells where. */
async function patched(image: Uint8Array, changes: readonly Change[]) {
  const patch = new Patch(await opened(image));
  let bytes: Uint8Array = Uint8Array.from(image);
  const places: number[] = [];
  for (const [cluster, version] of changes) {
    if (version === null) await patch.drop(cluster);
    else {
      places.push((await patch.replace(cluster)) / CLUSTER);
      bytes = put(bytes, { at: (places.at(-1) as number) * CLUSTER, bytes: stamp(version) });
    }
    bytes = patch.ready().reduce(put, bytes);
  }
  const { blocks, ...rest } = await patch.finish();
  for await (const block of blocks) bytes = put(bytes, block);
  for (const { at, length } of rest.freed) bytes.fill(0, at, at + length);
  return { bytes, places, ...rest };
}

async function contentOf(bytes: Uint8Array): Promise<Content> {
  const layer = await opened(bytes);
  const found = new Map<number, number>();
  for await (const { at, length, kind, host } of compose([layer], { at: 0, length: layer.header.size }, CLUSTER))
    for (let n = 0; kind === 'data' && n < length; n += CLUSTER)
      found.set((at + n) / CLUSTER, bytes[host + n] as number);
  return found;
}

const spots = fc.oneof(
  fc.nat(12),
  fc.nat(12).map((n) => WINDOW - 6 + n),
  fc.nat(9).map((n) => 3 * WINDOW + n),
);
const some = fc.map(spots, fc.integer({ min: 1, max: 99 }), { maxKeys: 14 });
const changes = fc
  .map(spots, fc.option(fc.integer({ min: 100, max: 255 })), { maxKeys: 14 })
  .map((all) => [...all].sort(([a], [b]) => a - b));
const virtualSize = (3 * WINDOW + 9) * CLUSTER + 512;

const applied = (content: Content, all: readonly Change[]): Content => {
  const now = new Map(content);
  for (const [cluster, version] of all) {
    now.delete(cluster);
    if (version !== null) now.set(cluster, version);
  }
  return now;
};

describe('Patch', () => {
  it('makes of a full what the writer would, time after time: canonical, and counted', {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(some, fc.array(changes, { maxLength: 4 }), async (content, all) => {
        let bytes = full(virtualSize, content);
        let now: Content = content;
        for (const one of all) {
          const done = await patched(bytes, one);
          const before = now;
          [bytes, now] = [done.bytes, applied(now, one)];
          expect(bytes.length).toBe(done.size);
          expect(done.dataClusters).toBe(now.size - before.size);
          expect(
            (await canonical(await opened(bytes))).filter(({ message }) => !message.includes('after the virtual')),
          ).toEqual([]);
        }
        const plain = ([a]: readonly [number, number], [b]: readonly [number, number]) => a - b;
        expect([...(await contentOf(bytes))].sort(plain)).toEqual([...now].sort(plain));
        expect(await contentOf(bytes)).toEqual(await contentOf(full(virtualSize, now)));
      }),
      { numRuns: 60, seed: 20_261_120 },
    );
  });

  it('leaves the file as it is when nothing changes', async () => {
    const image = full(
      virtualSize,
      new Map([
        [1, 1],
        [WINDOW, 2],
      ]),
    );
    const { bytes, freed } = await patched(image, []);
    expect(freed).toEqual([]);
    expect(Buffer.compare(bytes, image)).toBe(0);
  });

  it.each<[string, Change[], { places: number[]; freed: number[]; grown: number }]>([
    ['a cluster that is there stays where it is', [[1, 9]], { places: [3], freed: [], grown: 0 }],
    ['a new one goes behind the end', [[5, 9]], { places: [8], freed: [], grown: 1 }],
    [
      'or where one was given back',
      [
        [0, null],
        [5, 9],
      ],
      { places: [2], freed: [], grown: 0 },
    ],
    [
      'the lowest first',
      [
        [0, null],
        [1, null],
        [5, 9],
      ],
      { places: [2], freed: [3], grown: 0 },
    ],
    [
      'a table that describes nothing any more goes',
      [
        [0, null],
        [1, null],
        [2, null],
      ],
      { places: [], freed: [2, 3, 4, 5], grown: 0 },
    ],
    ['a window that had none gets a table', [[WINDOW, 9]], { places: [9], freed: [], grown: 2 }],
    [
      'what was never there is dropped by doing nothing',
      [
        [7, null],
        [2 * WINDOW, null],
      ],
      { places: [], freed: [], grown: 0 },
    ],
  ])('%s', async (_, all, { places, freed, grown }) => {
    const image = full(
      virtualSize,
      new Map([
        [0, 1],
        [1, 2],
        [2, 3],
      ]),
    );
    const done = await patched(image, all);
    expect(done.places).toEqual(places);
    expect(
      done.freed.flatMap(({ at, length }) => Array.from({ length: length / CLUSTER }, (_, n) => at / CLUSTER + n)),
    ).toEqual(freed);
    expect((done.bytes.length - image.length) / CLUSTER).toBe(grown);
  });

  it('uses what an earlier patch gave back', async () => {
    const image = full(
      virtualSize,
      new Map([
        [0, 1],
        [1, 2],
        [2, 3],
      ]),
    );
    const { bytes } = await patched(image, [[1, null]]);
    expect((await patched(bytes, [[9, 9]])).places).toEqual([3]);
  });

  it('counts what it appends in blocks of their own where the old ones end', async () => {
    const chunks = new Map<number, Uint8Array>();
    let size = 0;
    const save = ({ at, bytes }: Block): void => {
      for (let n = 0; n < bytes.length; n += CLUSTER) chunks.set((at + n) / CLUSTER, bytes.slice(n, n + CLUSTER));
      size = Math.max(size, at + bytes.length);
    };
    const read = async (at: number, length: number): Promise<Uint8Array> => {
      const first = Math.floor(at / CLUSTER) * CLUSTER;
      const bytes = new Uint8Array(at - first + length + CLUSTER);
      for (let n = first; n < at + length; n += CLUSTER) bytes.set(chunks.get(n / CLUSTER) ?? [], n - first);
      return bytes.subarray(at - first, at - first + length);
    };
    const file = () => openLayer({ size, read }, 'full');
    const writer = new Writer({ virtualSize: 2 ** 32, type: 'full' });
    for (let cluster = 0; cluster < 32_755; cluster += 1) writer.place(cluster);
    for (const block of writer.finish()) save(block);
    const before = size / CLUSTER;
    const patch = new Patch(await file());
    for (let cluster = 60_000; cluster < 60_010; cluster += 1) expect(await patch.replace(cluster)).toBeGreaterThan(0);
    const { blocks, size: end } = await patch.finish();
    for await (const block of blocks) save(block);
    size = end;
    expect([before, end / CLUSTER]).toEqual([32_763, 32_775]);
    expect(await canonical(await file())).toEqual([]);
  });

  it('refuses clusters out of order or beyond the size', async () => {
    const patch = new Patch(await opened(full(2 ** 20, new Map([[0, 1]]))));
    await patch.replace(3);
    await expect(patch.replace(3)).rejects.toThrow(RangeError);
    await expect(patch.drop(2)).rejects.toThrow(RangeError);
    await expect(patch.drop(15, 2)).rejects.toThrow(RangeError);
  });
});
