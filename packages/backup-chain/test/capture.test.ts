import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disksOf, placeOf } from '../src/asking.ts';
import { changeLists, volumeOf } from '../src/change-list.ts';
import { checkpointName, marksOf, strayMarks } from '../src/checkpoint.ts';
import { decide, type FullReason, type Parent, type Tracking, type Wish } from '../src/engine.ts';
import { finding } from '../src/finding.ts';
import { decidePush, type LiveSides } from '../src/push-engine.ts';
import { jobName, targetName } from '../src/qemu-backup.ts';
import { countOf, inside, merged, samples, touched, without } from '../src/scope.ts';
import { seam } from '../src/surveying.ts';
import { point, scene } from './points.ts';

const source = { ino: '2', birthNs: '2', mtimeNs: '2', size: 131_072 };
const list = {
  from: point(3).capture.source,
  to: { ...source, ref: 'db/data@20', path: '/p/data@20' },
  format: 'raw' as const,
  ranges: [] as [number, number][],
  zeros: [] as [number, number][],
};
const parent: Parent = { point: point(3), links: [1, 2, 3].map((n) => point(n)), findings: [] };
const tracking: Tracking = { bar: 'nobody asked for bitmaps', marks: [] };
const sides = { parent, list: null, source, format: 'raw' as const, size: 131_072, tracking };
const auto: Wish = { engine: 'auto', full: false, maxChain: 128 };

describe('engines', () => {
  it.each<[string, Partial<Wish>, Parent | null, typeof list | null, object]>([
    ['first', {}, null, null, { type: 'full', fullReason: 'first', engine: 'diff' }],
    ['forced', { full: true }, parent, list, { type: 'full', fullReason: 'forced', engine: 'diff' }],
    ['max-chain', { maxChain: 3 }, parent, null, { type: 'full', fullReason: 'max-chain' }],
    ['below it', { maxChain: 4 }, parent, null, { type: 'incremental', fullReason: null, engine: 'diff' }],
    [
      'chain-damaged',
      {},
      { ...parent, findings: [finding('corrupt', ['C1', 'x', 'y'])] },
      null,
      { type: 'full', fullReason: 'chain-damaged' },
    ],
    ['noted only', {}, { ...parent, findings: [finding('noted', ['C7', 'x', 'y'])] }, null, { type: 'incremental' }],
    ['a list that fits', {}, parent, list, { type: 'incremental', engine: 'fiemap', ignored: null }],
    ['a list that fits, but diff', { engine: 'diff' }, parent, list, { engine: 'diff', ignored: null }],
    [
      'from another image',
      {},
      parent,
      { ...list, from: { ...list.from, mtimeNs: '9' } },
      { engine: 'diff', ignored: expect.stringContaining('another image') },
    ],
    [
      'to another image',
      {},
      parent,
      { ...list, to: { ...list.to, ino: '9' } },
      { engine: 'diff', ignored: expect.stringContaining('than the source') },
    ],
  ])('%s', (_, wish, before, changes, decision) =>
    expect(decide({ ...auto, ...wish }, { ...sides, parent: before, list: changes })).toMatchObject(decision),
  );

  it.each<[string, Parent | null, typeof list | null]>([
    ['no list', parent, null],
    ['no parent', null, list],
    ['another image', parent, { ...list, from: { ...list.from, size: 1 } }],
  ])('fiemap with %s is refused', (_, before, changes) =>
    expect(() => decide({ ...auto, engine: 'fiemap' }, { ...sides, parent: before, list: changes })).toThrow(
      /cannot capture by a list/,
    ),
  );
});

const mark = (n: number, change: object = {}) => ({
  id: `id-${n}`,
  name: `platter-4be1f6c2-id-${n}`,
  granularity: 65_536,
  inUse: false,
  enabled: true,
  ...change,
});
const marks = (...all: ReturnType<typeof mark>[]): Tracking => ({ bar: null, marks: all });
const barred: Tracking = { bar: 'it cannot be written', marks: [mark(3)] };

describe('bitmaps of a source', () => {
  const image = { ...sides, format: 'qcow2' as const };
  const gone: Parent = { ...parent, point: point(3), links: [point(1), point(3)] };
  it.each<[string, Partial<Wish>, Parent | null, Tracking, object]>([
    ['of the newest point', {}, parent, marks(mark(3)), { engine: 'bitmap', base: point(3), tracks: true }],
    ['asked for', { engine: 'bitmap' }, parent, marks(mark(3)), { engine: 'bitmap', base: point(3), tracks: true }],
    ['the newest of several', {}, parent, marks(mark(1), mark(3), mark(2)), { base: point(3), ignored: null }],
    ['of an ancestor', {}, parent, marks(mark(1)), { engine: 'bitmap', base: point(1) }],
    ['one in use, one older', {}, parent, marks(mark(3, { inUse: true }), mark(2)), { base: point(2) }],
    [
      'in use',
      {},
      parent,
      marks(mark(3, { inUse: true })),
      { engine: 'diff', base: null, tracks: true, ignored: 'the bitmap of id-3 was not closed by its last writer' },
    ],
    [
      'disabled',
      {},
      parent,
      marks(mark(3, { enabled: false })),
      { engine: 'diff', tracks: true, ignored: 'the bitmap of id-3 is disabled' },
    ],
    ['of a point that was merged', {}, gone, marks(mark(2)), { engine: 'diff', tracks: true }],
    [
      'none yet, asked for',
      { engine: 'bitmap' },
      parent,
      marks(),
      { engine: 'diff', type: 'incremental', tracks: true },
    ],
    ['none', {}, parent, marks(), { engine: 'diff', tracks: false, ignored: null }],
    ['of no point of the chain', {}, parent, marks(mark(9)), { engine: 'diff', tracks: false, ignored: null }],
    ['but diff is asked for', { engine: 'diff' }, parent, marks(mark(3)), { engine: 'diff', tracks: false }],
    ['but it cannot be written', {}, parent, barred, { engine: 'diff', tracks: false, ignored: barred.bar }],
    [
      'a first one, asked for',
      { engine: 'bitmap' },
      null,
      marks(),
      { type: 'full', engine: 'diff', tracks: true, ignored: null },
    ],
    ['a full goes on with them', { maxChain: 3 }, parent, marks(mark(3)), { type: 'full', base: null, tracks: true }],
  ])('%s', (_, wish, before, found, decision) =>
    expect(decide({ ...auto, ...wish }, { ...image, parent: before, tracking: found })).toMatchObject(decision),
  );

  it('are not gone by for another size', () => {
    const tracking = marks(mark(3));
    expect(decide(auto, { ...image, size: 65_536, tracking })).toMatchObject({
      engine: 'diff',
      tracks: true,
      ignored: 'the bitmap of id-3 is of another size of the disk',
    });
    const grown: Parent = { ...parent, point: point(3, { virtualSize: 65_536 }) };
    expect(decide(auto, { ...image, parent: grown, size: 65_536, tracking }).engine).toBe('diff');
  });

  it('are refused where there can be none', () =>
    expect(() => decide({ ...auto, engine: 'bitmap' }, { ...image, tracking: barred })).toThrow(
      /cannot capture by bit/,
    ));

  it('a list of a file is not one of the image in it', () =>
    expect(decide(auto, { ...image, list })).toMatchObject({
      engine: 'diff',
      ignored: expect.stringContaining('file'),
    }));

  it('carry the name of the repository and the point', () => {
    const [repo, other] = ['4be1f6c2-6c0e-4d0e-9d54-0f6c3c9a7f11', '5be1f6c2-6c0e-4d0e-9d54-0f6c3c9a7f11'];
    const name = checkpointName(repo, 'id-1');
    expect(name).toBe('platter-4be1f6c2-id-1');
    expect(marksOf([{ name }, { name: 'mine' }], repo)).toEqual([{ name, id: 'id-1' }]);
    expect(marksOf([{ name }], other)).toEqual([]);
  });

  it('without a point are strays; those of points that were merged away are not', () => {
    const { facts } = scene([point(1), point(3)]);
    expect(strayMarks([mark(1), mark(2), mark(4)], facts, 'data').map(({ id }) => id)).toEqual(['id-4']);
    expect(strayMarks([mark(1)], facts, 'other')).toHaveLength(1);
  });
});

describe('what QEMU pushes', () => {
  const on = { recording: true, busy: false, inconsistent: false };
  const live = (n: number, change: object = {}) => ({
    id: `id-${n}`,
    name: `platter-4be1f6c2-id-${n}`,
    ...on,
    ...change,
  });
  const all = { parent, size: 131_072, marks: [live(3), live(2)] };
  it.each<[string, Partial<Wish>, Partial<LiveSides>, FullReason | null, number | null]>([
    ['what the newest bitmap marks', {}, {}, null, 3],
    ['or an older one', {}, { marks: [live(1)] }, null, 1],
    ['past one in use', {}, { marks: [live(3, { busy: true }), live(2)] }, null, 2],
    ['all: first', {}, { parent: null }, 'first', null],
    ['all: forced', { full: true }, {}, 'forced', null],
    ['all: max-chain', { maxChain: 3 }, {}, 'max-chain', null],
    ['all: no-bitmap', {}, { marks: [] }, 'no-bitmap', null],
    ['all: a bitmap of a run without a point', {}, { marks: [live(7)] }, 'no-bitmap', null],
    ['all: not recording', {}, { marks: [live(3, { recording: false })] }, 'no-bitmap', null],
    ['all: busy', {}, { marks: [live(3, { busy: true })] }, 'no-bitmap', null],
    ['all: inconsistent', {}, { marks: [live(3, { inconsistent: true })] }, 'bitmap-inconsistent', null],
    ['all: resized', {}, { size: 65_536 }, 'resized', null],
  ])('%s', (_, wish, change, reason, base) =>
    expect(decidePush({ ...auto, ...wish }, { ...all, ...change })).toMatchObject({
      type: reason === null ? 'incremental' : 'full',
      fullReason: reason,
      base: base === null ? null : point(base),
      engine: 'qmp',
      tracks: true,
    }),
  );
  it('carries names that QEMU takes', () => {
    expect([jobName('data'), targetName('data')]).toEqual(['platter-data', 'platter-t-data']);
    const long = targetName('a'.repeat(63));
    expect([long.length <= 31, long === targetName(`${'a'.repeat(62)}b`)]).toEqual([true, false]);
  });
});

const line = (more: object = {}) => ({
  kind: 'DiskDiff',
  from: { ref: 'db/data@19', path: '/p/19', ino: '1', birthNs: '1', mtimeNs: '1', size: 196_608 },
  to: { ref: 'db/data@20', path: '/p/20', ino: '2', birthNs: '2', mtimeNs: '2', size: 196_608 },
  format: 'raw',
  ranges: [[0, 65_536]],
  zeros: [],
  complete: true,
  ...more,
});

describe('lists of changes', () => {
  it('are joined, and complete', () => {
    const [joined] = changeLists([
      line({ complete: false }),
      line({ ranges: [[131_072, 65_536]], zeros: [[131_072, 65_536]] }),
    ]);
    expect(joined).toMatchObject({
      ranges: [
        [0, 65_536],
        [131_072, 65_536],
      ],
      zeros: [[131_072, 65_536]],
      to: { ino: '2' },
    });
  });

  it.each<[string, object[]]>([
    ['no last line', [line({ complete: false })]],
    [
      'out of order',
      [
        line({
          ranges: [
            [65_536, 65_536],
            [0, 65_536],
          ],
        }),
      ],
    ],
    [
      'overlapping',
      [
        line({
          ranges: [
            [0, 131_072],
            [65_536, 65_536],
          ],
        }),
      ],
    ],
    ['beyond the image', [line({ ranges: [[131_072, 131_072]] })]],
    ['negative', [line({ ranges: [[-1, 5]] })]],
    ['no identity', [line({ from: {} })]],
    ['another format', [line({ format: 'qcow2' })]],
  ])('%s is exit 2', (_, records) =>
    expect(() => changeLists(records)).toThrow(expect.objectContaining({ kind: 'usage' })),
  );

  it('name their volume last', () =>
    expect(['db/data@20', 'data@20', 'data'].map(volumeOf)).toEqual(['data', 'data', 'data']));
});

describe('words and records', () => {
  const said = {
    words: [] as string[],
    heard: { lists: [], images: [] },
    format: undefined,
    uids: new Map<string, string>(),
    cwd: '/w',
  };
  const lists = changeLists([line()]);
  it('a list names its disk and its source', () =>
    expect(disksOf({ ...said, words: ['-'], heard: { lists, images: [] } })).toMatchObject([
      { disk: 'data', path: '/p/20', format: 'raw', list: { to: { ref: 'db/data@20' } } },
    ]));
  it('the only list is for the only disk, whatever its name', () =>
    expect(disksOf({ ...said, words: ['-', 'root=x.img'], heard: { lists, images: [] } })).toMatchObject([
      { disk: 'root', path: '/w/x.img', list: { to: { ref: 'db/data@20' } } },
    ]));
  it('a disk named twice, or badly, is exit 2', () => {
    expect(() => disksOf({ ...said, words: ['a=x', 'a=y'] })).toThrow('named twice');
    for (const word of ['A=x', 'x', '=x'])
      expect(() => disksOf({ ...said, words: [word] })).toThrow(expect.objectContaining({ kind: 'usage' }));
  });
  it('the VM is said, or is that of the images', () => {
    const images = [{ name: 'data', vm: 'shop', path: '/x', format: null }];
    expect(placeOf(undefined, { images, lists: [] })).toMatchObject({ namespace: 'default', vm: 'shop' });
    expect(placeOf(undefined, { images: [], lists })).toMatchObject({ vm: 'db' });
    expect(placeOf('a/b', { images, lists })).toMatchObject({ namespace: 'a', vm: 'b' });
    expect(() =>
      placeOf(undefined, { images: [...images, { name: 'x', vm: 'other', path: '/', format: null }], lists: [] }),
    ).toThrow('which VM');
    expect(() => placeOf('a/b/c', { images, lists })).toThrow('names a disk');
  });
});

const clusters = fc
  .array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 9 })), { maxLength: 8 })
  .map((pairs) =>
    touched(
      [...pairs].sort(([a], [b]) => a - b).map(([first, count]) => ({ at: first * 65_536, length: count * 65_536 })),
    ),
  );
const listed = (found: ReturnType<typeof touched>) =>
  new Set(found.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, n) => first + n)));

describe('scopes', () => {
  it('touched widens, inside narrows', () => {
    expect(
      touched([
        { at: 1, length: 65_536 },
        { at: 131_072, length: 1 },
      ]),
    ).toEqual([{ first: 0, end: 3 }]);
    expect(
      inside(
        [
          { at: 1, length: 65_536 },
          { at: 131_072, length: 100 },
        ],
        131_172,
      ),
    ).toEqual([{ first: 2, end: 3 }]);
    expect(inside([{ at: 1, length: 65_535 }], 2 ** 20)).toEqual([]);
  });
  it('without is the difference of the sets, merged their union', () =>
    fc.assert(
      fc.property(clusters, clusters, (a, b) => {
        const [left, right] = [listed(a), listed(b)];
        expect([...listed(without(a, b))]).toEqual([...left].filter((one) => !right.has(one)));
        expect([...listed(merged(a, b))]).toEqual([...new Set([...left, ...right])].sort((x, y) => x - y));
      }),
    ));
  it('samples are 1 in 1024, at least 64, and lie inside', () => {
    const all = [{ first: 10, end: 200_000 }];
    const picked = samples(all, () => 0.999);
    expect(countOf(picked)).toBe(Math.ceil(199_990 / 1024));
    expect(picked.every(({ first, end }) => first >= 10 && end <= 200_000)).toBe(true);
    expect(countOf(samples([{ first: 0, end: 1000 }], () => 0))).toBe(64);
    expect(countOf(samples([{ first: 0, end: 5 }], () => 0))).toBe(5);
    expect(samples([], () => 0)).toEqual([]);
  });
  it('the seam is the cluster in which the smaller size ends', () => {
    expect([seam(null, 9), seam(9, 9), seam(65_536 + 512, 2 ** 20), seam(2 ** 20, 65_536)]).toEqual([null, null, 1, 0]);
  });
});
