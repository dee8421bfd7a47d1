import { describe, expect, it } from 'vitest';
import { isDiskName, isVmName } from '../src/address.ts';
import { chainsOf } from '../src/foreign.ts';
import { setVerdicts, sharedId } from '../src/import-sets.ts';
import { knownRoot, type Standing, type Verdict, verdicts, type Wanted } from '../src/importing.ts';
import { instantOf, typeOf, volumesOf } from '../src/kubevirt-backup.ts';
import type { BackupSet, Point } from '../src/manifest-kinds.ts';
import { momentsOf } from '../src/naming-files.ts';
import { chainIds, diskIn, forks, inOrder, type Listed, listedFiles, walk } from '../src/oadp.ts';
import { point, scene } from './points.ts';

const root = (n: number): string => String(n).repeat(64);
const imported = (n: number, change: Partial<Point> = {}): Point => {
  const { capture } = point(n);
  return point(n, { capture: { ...capture, source: { ...capture.source, sourceRoot: root(n) } }, ...change });
};
const [p1, p2, p3] = [imported(1), imported(2), imported(3)];
const file = (n: number, change: Partial<Wanted> = {}): Wanted => ({
  ...{ path: `/f${n}`, id: null, root: root(n) },
  type: n === 1 || n === 5 ? 'full' : 'incremental',
  ...change,
});
const standing = (points: readonly Point[], change: Partial<Standing> = {}): Standing => ({
  ...{ disk: 'data', points, full: false, after: null },
  ...change,
});

/** What becomes of files: the id of the point that is there, `new` or `gone`; or why not. */
function told(wanted: readonly Wanted[], on: Standing): string {
  try {
    return verdicts(wanted, on)
      .map((one) => (one.state === 'here' ? one.point.id : one.state))
      .join(' ');
  } catch (error) {
    return (error as Error).message.replace(/^will not import /, '');
  }
}

const named = (...ids: number[]): Wanted[] => ids.map((n) => file(n, { id: `id-${n}` }));

describe('what becomes of a file', () => {
  it.each([
    ['nothing there', [file(1), file(2)], standing([]), 'new new'],
    ['all there', [file(1), file(2)], standing([p1, p2]), 'id-1 id-2'],
    ['some there', [file(1), file(2), file(3)], standing([p1, p2]), 'id-1 id-2 new'],
    ['a full on points', [file(5)], standing([p1]), '/f5: data has points already'],
    ['a full that is meant', [file(5)], standing([p1], { full: true }), 'new'],
    ['another increment', [file(1), file(4)], standing([p1, p2]), '/f4: id-1 is not the latest point of data'],
    ['after the latest', [file(3)], standing([p1, p2], { after: p2 }), 'new'],
    ['after it, again', [file(3)], standing([p1, p2, p3], { after: p2 }), 'id-3'],
    ['after another', [file(4)], standing([p1, p2, p3], { after: p2 }), '/f4: id-2 is not the latest point of data'],
    [
      'what is there in another place',
      [file(1), file(3)],
      standing([p1, p2, p3]),
      '/f3: id-1 is not the latest point of data',
    ],
    ['content nobody knows', [file(1, { root: null })], standing([]), 'new'],
    ['ids, none there', named(1, 2), standing([]), 'new new'],
    ['ids, some there', named(1, 2, 3), standing([p1, p2]), 'id-1 id-2 new'],
    [
      'ids that were merged away',
      named(1, 2, 3),
      standing([imported(3, { type: 'full', parent: null })]),
      'gone gone id-3',
    ],
    ['a further full with an id', named(1, 5), standing([p1, p2]), 'id-1 new'],
    ['ids on a disk with other points', named(1, 2), standing([imported(7)]), '/f1: data has points already'],
    ['ids on it that are meant', named(1, 2), standing([imported(7)], { full: true }), 'new new'],
    [
      'an id with other content',
      [file(1, { id: 'id-1', root: root(9) })],
      standing([p1]),
      '/f1: data@id-1 is there with other content',
    ],
    [
      'an id after another point',
      named(1, 2),
      standing([p1, imported(7)]),
      '/f2: id-1 is not the latest point of data',
    ],
  ] as const)('%s', (_, wanted, on, what) => {
    expect(told(wanted, on)).toBe(what);
  });

  it('content is read only where a point may hold the same', () => {
    const source = p1.capture.source;
    const other = { ...source, mtimeNs: '2' };
    expect(knownRoot([p1], source)).toEqual({ root: root(1), read: false });
    expect(knownRoot([p1], other)).toEqual({ root: null, read: true });
    expect(knownRoot([p1], { ...other, size: 1 })).toEqual({ root: null, read: false });
    expect(knownRoot([point(1)], source)).toEqual({ root: null, read: false });
  });
});

const here = (one: Point): Verdict => ({ state: 'here', point: one });
const fresh: Verdict = { state: 'new' };
const gone: Verdict = { state: 'gone' };
const setOf = (id: string, ...members: Point[]) => {
  const value = { id, members: members.map((one) => ({ disk: 'data', point: one.id })) } as unknown as BackupSet;
  return { name: `${id}.json`, path: `/s/${id}`, value, fault: null };
};
const judged = (id: string | null, verdict: Verdict) => ({ id, files: [{ disk: 'data', verdict }] });

describe('what becomes of the set of a moment', () => {
  const { facts } = scene([p1, p2, p3]);
  const states = (sets: ReturnType<typeof setOf>[], ...moments: ReturnType<typeof judged>[]) =>
    setVerdicts({ ...facts, sets }, moments).map(({ state }) => state);

  it.each([
    ['none there', [], [judged(null, fresh)], ['new']],
    ['missing after its point', [setOf('a', p1)], [judged(null, here(p1)), judged(null, here(p2))], ['here', 'new']],
    ['let go before a later one', [setOf('b', p2)], [judged(null, here(p1)), judged(null, here(p2))], ['gone', 'here']],
    ['of a point that is gone', [], [judged('id-1', gone), judged('id-2', here(p2))], ['gone', 'new']],
    ['there under its id', [setOf('id-1', p1)], [judged('id-1', here(p1)), judged('id-2', fresh)], ['here', 'new']],
    ['there under another', [setOf('x', p1)], [judged('id-1', here(p1))], ['new']],
  ] as const)('%s', (_, sets, moments, what) => {
    expect(states([...sets], ...moments)).toEqual(what);
  });

  it('its id never means other points', () => {
    expect(() => states([setOf('id-1', p2)], judged('id-1', here(p1)))).toThrow('names other disks');
  });

  it('it takes the id of its points where that is free', () => {
    const id = (sets: ReturnType<typeof setOf>[], ...all: Verdict[]) =>
      sharedId({ ...facts, sets }, { id: null, files: all.map((verdict) => ({ disk: 'data', verdict })) });
    expect(id([], here(p1))).toBe('id-1');
    expect(id([setOf('id-1', p1)], here(p1))).toBeNull();
    expect(id([], here(p1), here(p2))).toBeNull();
    expect(id([], here(p1), fresh)).toBeNull();
    expect(id([], fresh)).toBeNull();
  });
});

const listed = (id: string, change: Partial<Listed> = {}): Listed => ({
  ...{ id, type: 'incremental', vmBackup: 'vmb', files: [] },
  ...change,
});
const indexOf = (...all: Listed[]) => new Map(all.map((one) => [one.id, one]));

describe('an index of checkpoints', () => {
  const full = listed('a', { type: 'Full', timestamp: '2026-01-02T00:00:00Z', parent: 'ignored' });
  const [b, c] = [listed('b', { parent: 'a' }), listed('c', { parent: 'b' })];
  const older = listed('z', { type: 'FULL', timestamp: '2026-01-01T00:00:00Z' });

  it('is walked from a checkpoint down to its full', () => {
    expect(walk(indexOf(c, b, full), 'c')).toEqual({ ids: ['a', 'b', 'c'], fault: null });
    expect(walk(indexOf(c, b), 'c').fault).toBe('a is missing');
    expect(walk(indexOf(c, full), 'c').fault).toBe('b is missing');
    expect(walk(indexOf(listed('b', { parent: 'c' }), c), 'c').fault).toBe('c is its own ancestor');
    expect(walk(indexOf(listed('b')), 'b').fault).toBe('b is no full and names no parent');
    const long = Array.from({ length: 1100 }, (_, n) => listed(`${n + 1}`, { parent: `${n}` }));
    expect(walk(indexOf(...long), '1100').fault).toBe('it rests on more than 1024 others');
  });

  it('is ordered chain by chain, fulls by their time, however it is listed', () => {
    const ids = (...all: Listed[]) => inOrder(indexOf(...all)).map(({ id }) => id);
    expect(ids(c, full, older, b)).toEqual(['z', 'a', 'b', 'c']);
    const timeless = listed('y', { type: 'full' });
    expect(ids(listed('x', { type: 'full' }), timeless, listed('w', { parent: 'y' }))).toEqual(['x', 'y', 'w']);
  });

  it('has a fork where several rest on one', () => {
    expect(forks(indexOf(full, b, c))).toEqual([]);
    expect(forks(indexOf(full, b, listed('c', { parent: 'a' })))).toEqual(['a']);
  });

  it('lists files by name or as objects, and a disk is what follows the name of the backup', () => {
    const files = ['x.qcow2', { filename: 'y.qcow2', diskName: 'lie', size: 5, objectPath: '' }];
    expect(listedFiles(listed('a', { files }))).toEqual([
      { name: 'x.qcow2', size: null, objectPath: null },
      { name: 'y.qcow2', size: 5, objectPath: null },
    ]);
    expect(
      ['vmb-data-disk.qcow2', 'vmb-.qcow2', 'other-data.qcow2', 'vmb-data.raw'].map((name) => diskIn(name, full)),
    ).toEqual([...['data-disk', '', null, null]]);
    expect(chainIds({ namespace: '', name: '', checkpointChain: ['a', { id: 'b' }] })).toEqual(['a', 'b']);
  });
});

describe('words of a peer', () => {
  it('types in any case, instants in any zone, volumes as names or objects', () => {
    expect(['full', 'FULL', 'Incremental', 'other', ''].map(typeOf)).toEqual([
      'full',
      'full',
      'incremental',
      null,
      null,
    ]);
    expect(['2026-01-12T02:00:00.123456789Z', '2026-01-12T02:00:00+02:00'].map(instantOf)).toEqual([
      ...['2026-01-12T02:00:00.123Z', '2026-01-12T00:00:00.000Z'],
    ]);
    expect([null, '', 'yesterday', '2026-01-12', '0000-01-01T00:00:00+02:00'].map(instantOf)).toEqual(
      Array(5).fill(null),
    );
    const includedVolumes = ['a', { volumeName: 'b', diskTarget: 'vda' }, { name: 'c' }, {}];
    expect(volumesOf({ status: { includedVolumes } })).toEqual(['a', 'b', 'c']);
  });

  it('names that cannot be kept', () => {
    expect(['data', 'data-disk', 'Data', '', '..', 'a/b', '-a', 'a'.repeat(64)].map(isDiskName)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(isVmName({ namespace: 'shop', vm: 'web' })).toBe(true);
    expect(isVmName({ namespace: 'shop/web', vm: 'x' })).toBe(false);
    expect(isVmName({ namespace: 'shop', vm: '..' })).toBe(false);
  });

  it('the n-th files of all disks are the n-th moment; chains begin with a full', () => {
    const moments = momentsOf({ words: ['b=1', 'a=x', 'b=2', 'a=y'], cwd: '/d', onto: false });
    expect(moments.map(({ files }) => files.map(({ disk, path, type }) => `${disk} ${path} ${type}`))).toEqual([
      ['a /d/x full', 'b /d/1 full'],
      ['a /d/y incremental', 'b /d/2 incremental'],
    ]);
    expect(momentsOf({ words: ['a=x'], cwd: '/', onto: true })[0]?.files[0]?.type).toBe('incremental');
    const types = ['full', 'incremental', 'full', 'incremental', 'incremental'] as const;
    const chains = chainsOf(types.map((type, n) => ({ disk: 'a', path: String(n), type })));
    expect(chains.map((chain) => chain.map(({ path }) => path).join(''))).toEqual(['01', '234']);
  });
});
