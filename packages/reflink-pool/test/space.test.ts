import { Failure } from '@platter/host/failure';
import { describe, expect, it } from 'vitest';
import { lineThrough } from '../src/calibration.ts';
import { adviceOn } from '../src/frag.ts';
import type { Disk } from './disk.ts';
import { changesOf, go, head, poolOf, prepared, work } from './pool-of.ts';
import { say } from './said.ts';

const xfs = 0x58465342;
const btrfs = 0x9123683e;
const KiB = 1024;
const sidecar = '/pool/.platter/volumes/v.json';
const put = [
  "install -m 0600 /dev/null '/pool/.platter/volumes/v.json~'",
  "mv -T -- '/pool/.platter/volumes/v.json~' /pool/.platter/volumes/v.json",
  'sync -- /pool/.platter/volumes',
];
const commits = (count: number) =>
  Array.from({ length: count }, (_, at) => ['start v', `write ${at}`, 'stop v']).flat();

/** A volume with so many former states, all of which are kept until somebody says otherwise. */
const withStates = (count: number) => poolOf('create v --size 512 --policy min=all', ...commits(count));
const names = (disk: Disk) =>
  [...disk.names.keys()].flatMap((name) => /^\/pool\/v\.img\.(\d+)@/.exec(name)?.[1] ?? []).sort();

const ended = { code: 0, stdout: '', stderr: '', report: '' };
/** A filesystem that commits, and tells at once what is free. */
const settling = (disk: Disk) => disk.facts.set('sync -f -- /pool', () => ended).set('sleep', '');

describe('frag', () => {
  it.each([
    ['few mappings, however small', 4, 512, 5000, xfs, null],
    ['a slow clone', 50_000, 64 * KiB, 1001, xfs, 'flatten'],
    ['a second, not more', 50_000, 64 * KiB, 1000, xfs, null],
    ['small pieces on XFS', 5, 25 * KiB - 1, 1, xfs, 'flatten'],
    ['not so small ones', 5, 25 * KiB, 1, xfs, null],
    ['pieces that are not small on btrfs', 5, 5 * KiB, 1, btrfs, null],
    ['small pieces on btrfs', 5, 5 * KiB - 1, 1, btrfs, 'flatten'],
  ])('advises on %s', (_, mappings, meanBytes, predicted, type, advice) =>
    expect(adviceOn({ mappings, meanBytes, predicted, type })).toBe(advice),
  );

  it('shows the head and the working copy', async () => {
    const disk = await poolOf('create v --size 512', 'start v');
    const { records } = await say(disk, 'frag');
    const known = { kind: 'Frag', mappings: 1, predictedMs: 0.04, calibrated: false, advice: null };
    expect(records).toMatchObject([
      { ...known, ref: 'v@head', path: head },
      { ...known, ref: 'v', path: work },
    ]);
  });
});

describe('a calibration', () => {
  it.each([
    [{ ms: 2 }, { mappings: 16_384, ms: 2 + 16.383 * 20 }, { baseUs: 1980, usPerMapping: 20 }],
    [{ ms: 5 }, { mappings: 16_384, ms: 4 }, { baseUs: 5000, usPerMapping: 0 }],
    [{ ms: 0.01 }, { mappings: 11, ms: 10.01 }, { baseUs: 0, usPerMapping: 1000 }],
  ])('of %j and %j is a line that never falls', (one, many, cost) =>
    expect(lineThrough({ mappings: 1, ...one }, many)).toEqual(cost),
  );
});

describe('probe', () => {
  const leftover = '/pool/.reflink-pool-probe~abcdefgh';
  it('says what works and leaves nothing, not even what a killed one left', async () => {
    const disk = await poolOf();
    const before = [...disk.names.keys()];
    await disk.change({ op: 'mkdir', path: leftover, mode: 0o700 });
    await disk.change({ op: 'write', path: `${leftover}/pieces`, data: 'x', mode: 0o600, exclusive: true });
    const { records, texts } = await say(disk, 'probe');
    expect(records).toMatchObject([{ kind: 'Probe', reflink: true, links: true, sharedFlag: true, baseUs: null }]);
    expect(texts).toEqual(['/pool  xfs  reflink yes  links yes']);
    expect([...disk.names.keys()]).toEqual(before);
  });

  it('takes a directory of that name only for its own when it is one, and no other name', async () => {
    const disk = await poolOf();
    const others = ['/pool/.reflink-pool-probe~abcdefghi', '/pool/.reflink-pool-probe'];
    for (const path of others) await disk.change({ op: 'mkdir', path, mode: 0o700 });
    await say(disk, 'probe');
    expect(others.map((path) => disk.names.has(path))).toEqual([true, true]);
  });

  it('finds out a clone that is none, and a link that is none', async () => {
    const broken = (op: 'copy' | 'link', error: Failure) => async () => {
      const disk = await poolOf();
      const change = disk.change.bind(disk);
      disk.change = (one) => (one.op === op ? Promise.reject(error) : change(one));
      return { said: await say(disk, 'probe'), left: [...disk.names.keys()].filter((name) => name.includes('probe')) };
    };
    const details = { because: "cp: failed to clone 'a' from 'b': Operation not supported" };
    const unshared = await broken('copy', new Failure('unsupported', 'cannot be cloned', { details }))();
    expect([unshared.said.code, unshared.said.texts, unshared.left]).toEqual([
      6,
      ['/pool  xfs  reflink no (Operation not supported)  links yes'],
      [],
    ]);
    const cause = { code: 'EPERM' };
    const unlinked = await broken('link', new Failure('failed', 'could not link', { cause }))();
    expect([unlinked.said.code, unlinked.said.texts]).toEqual([0, ['/pool  xfs  reflink yes  links no']]);
    const worse = await broken('copy', new Failure('failed', 'Input/output error'))();
    expect([worse.said.code, worse.said.records, worse.left]).toEqual([1, [], []]);
  });

  it('finds out a clone that writes through to its source', async () => {
    const disk = await poolOf();
    const change = disk.change.bind(disk);
    disk.change = async (one) => {
      if (one.op !== 'copy') return change(one);
      const source = disk.names.get(one.from);
      if (source !== undefined) disk.names.set(one.to, source);
      return undefined as never;
    };
    const said = await say(disk, 'probe');
    expect([said.code, said.records]).toMatchObject([
      6,
      [{ reflink: false, because: 'writing to a clone changed its source' }],
    ]);
  });

  it.each([
    ['a directory that is not there', 'probe /nowhere', 3],
    ['a file', 'probe /pool/.platter/pool.json', 3],
    ['nothing measured to save', 'probe --save', 2],
    ['saving where there is no pool', 'probe /pool/.platter --calibrate --save', 3],
  ])('refuses %s', async (_, line, code) => {
    const said = await changesOf(await poolOf(), line);
    expect([said.code, said.changes]).toEqual([code, []]);
  });
});

describe('prune', () => {
  it('unlinks in ascending order and flushes the directory once', async () => {
    const { changes, texts } = await changesOf(await withStates(3), 'prune v --policy count=1');
    expect(changes).toEqual([
      'rm -f -- /pool/v.img.1@2026-11-20T08:00:00Z',
      'rm -f -- /pool/v.img.2@2026-11-20T08:00:01Z',
      'sync -- /pool',
    ]);
    expect(texts).toEqual([
      'v@1  remove  beyond policy  512 bytes 2026-11-20T08:00:00Z',
      'v@2  remove  beyond policy  512 bytes 2026-11-20T08:00:01Z',
      '2 of 3 gone, 1 KiB freed',
    ]);
  });

  it('notes the highest number before it goes, and never gives it again', async () => {
    const disk = await withStates(2);
    const { changes } = await changesOf(disk, 'prune v --policy min=none');
    expect(changes.slice(0, 3)).toEqual(put);
    await go(disk, ...commits(1));
    expect(names(disk)).toEqual(['3']);
  });

  it('explains everything and changes nothing', async () => {
    const disk = await withStates(2);
    const { changes, texts, records, code } = await changesOf(disk, 'prune --policy count=1 --save --explain');
    expect([code, changes]).toEqual([0, []]);
    expect(texts).toEqual([
      'v@1  keep    min                      2026-11-20T08:00:00Z',
      'v@2  keep    min                      2026-11-20T08:00:01Z',
      '0 of 2 would go, 0 bytes freed; nothing was changed (--explain)',
    ]);
    expect((await say(disk, 'prune v --policy count=1 --explain')).texts[0]).toBe(
      'v@1  remove  beyond policy  512 bytes 2026-11-20T08:00:00Z',
    );
    expect(records.at(-1)).toMatchObject({ kind: 'PruneSummary', removed: 0, kept: 2, freed: 0, freeTarget: null });
  });

  it('saves a policy as the volume`s own, and the same again writes nothing', async () => {
    const disk = await withStates(1);
    expect((await changesOf(disk, 'prune v --policy count=1 --save')).changes).toEqual(put);
    expect((await changesOf(disk, 'prune v --policy count=1 --save')).changes).toEqual([]);
    expect(JSON.parse(disk.content(sidecar) ?? '').policy).toBe('min=none,count=1');
  });

  it('keeps the saved policy when it also notes a number', async () => {
    const disk = await withStates(1);
    await go(disk, 'prune v --policy min=none --save');
    expect(JSON.parse(disk.content(sidecar) ?? '')).toMatchObject({ policy: 'min=none', counter: 1 });
  });

  it('saves the default of the pool, which says nothing of a volume with a policy of its own', async () => {
    const disk = await withStates(2);
    await go(disk, 'create w --size 512', 'prune --policy min=none --save');
    expect(names(disk)).toEqual(['1', '2']);
    expect(JSON.parse(disk.content('/pool/.platter/pool.json') ?? '').policy).toBe('min=none');
    expect((await changesOf(disk, 'prune --policy min=none --save')).changes).toEqual([]);
    expect((await say(disk, 'prune --policy min=none')).records).toMatchObject([{ number: 1 }, { number: 2 }, {}]);
  });

  it('makes room, the oldest first over all volumes, and no more than is wanted', async () => {
    const disk = await withStates(3);
    settling(disk);
    const change = disk.change.bind(disk);
    disk.change = async (one) => {
      if (one.op === 'remove' && /img\.\d+@/.test(one.path)) disk.free += 512;
      return change(one);
    };
    disk.free = 10_000;
    const said = await say(disk, 'prune --policy count=all,free=11000');
    expect([said.code, said.records]).toMatchObject([
      0,
      [
        { number: 1, action: 'remove', reason: 'more room (free=11000)', reclaimable: 512 },
        { number: 2, action: 'remove' },
        { kind: 'PruneSummary', removed: 2, kept: 1, freed: 1024, freeTarget: 11_000, reached: true },
      ],
    ]);
    expect(names(disk)).toEqual(['3']);
  });

  it('says when there cannot be as much room, and spares what min, pins and labels keep', async () => {
    const disk = await withStates(3);
    settling(disk);
    await go(disk, 'pin v@1', 'label v@2 good');
    disk.free = 10_000;
    const explained = await changesOf(disk, 'prune v --policy count=all,free=50% --explain');
    expect([explained.code, explained.changes]).toEqual([7, []]);
    expect(explained.texts).toEqual([
      'v@1  keep    pinned by user           2026-11-20T08:00:00Z',
      'v@2  keep    label good               2026-11-20T08:00:01Z',
      'v@3  remove  more room (free=50%)  512 bytes 2026-11-20T08:00:02Z',
      '1 of 3 would go, 512 bytes freed; 512 GiB of free space not reached; nothing was changed (--explain)',
    ]);
    expect((await say(disk, 'prune v --policy count=all,free=50%')).code).toBe(7);
    expect(names(disk)).toEqual(['1', '2']);
    expect((await say(disk, 'prune v --policy min=1h,free=1')).code).toBe(0);
  });

  it('ends exports and sets whose time is over, and only those', async () => {
    const disk = await withStates(2);
    const write = (path: string, value: unknown) =>
      disk.change({ op: 'write', path, data: JSON.stringify(value), mode: 0o600, exclusive: true });
    for (const [id, number, expiresAt] of [
      ['aaaaaaaaaaaa', 1, '2026-11-20T11:59:59Z'],
      ['bbbbbbbbbbbb', 2, '2026-11-20T12:00:01Z'],
    ] as const) {
      const from = [...disk.names.keys()].find((name) => name.startsWith(`/pool/v.img.${number}@`)) ?? '';
      await write(`/pool/.platter/exports/${id}.json`, { volume: 'v', number, expiresAt });
      await disk.change({ op: 'link', from, to: `/pool/.platter/exports/${id}.img` });
    }
    const members = [{ volume: 'v', number: 1 }];
    await write('/pool/.platter/sets/old.json', { members, expiresAt: '2026-11-20T12:00:00Z' });
    await write('/pool/.platter/sets/new.json', { members, expiresAt: '2026-11-20T12:00:01Z' });
    const dry = await say(disk, 'prune v --policy min=none --explain');
    expect(dry.texts.slice(0, 2)).toEqual([
      'v@1  remove  beyond policy    0 bytes 2026-11-20T08:00:00Z',
      'v@2  keep    open export              2026-11-20T08:00:01Z',
    ]);
    await go(disk, 'prune v --policy min=none');
    expect(names(disk)).toEqual(['2']);
    const left = [...disk.names.keys()].filter((name) => /\/(exports|sets)\/./.test(name));
    expect(left.sort()).toEqual([
      '/pool/.platter/exports/bbbbbbbbbbbb.img',
      '/pool/.platter/exports/bbbbbbbbbbbb.json',
      '/pool/.platter/sets/new.json',
    ]);
  });

  it('reads names and records from a pipe', async () => {
    const disk = await withStates(2);
    const stdin = '{"kind":"Revision","volume":"v","ref":"v@1"}\n';
    expect((await say(disk, 'prune - --policy count=1', { stdin })).records).toMatchObject([{ number: 1 }, {}]);
  });

  it.each([
    ['a volume that is not there', 'prune w', 3],
    ['a kind without former states', 'prune s', 3],
    ['what is no policy', 'prune v --policy daily=7,daily=8', 2],
    ['saving nothing', 'prune v --save', 2],
  ])('refuses %s', async (_, line, code) => {
    const disk = await withStates(1);
    await go(disk, 'create s --kind snapshot --source v');
    const said = await changesOf(disk, line);
    expect([said.code, said.changes]).toEqual([code, []]);
  });
});

/** A head in more pieces than a copy would have. */
const inPieces = (disk: Disk) => {
  const rows = Array.from({ length: 5 }, (_, at) => {
    const [from, to] = [at * 100, at * 100 + 99];
    return `   ${at}:        ${from}..     ${to}: ${8192 - at * 1000}.. ${8291 - at * 1000}:    100:             \n`;
  });
  const query = disk.query.bind(disk);
  disk.facts.set('xfs_io', 'fsxattr.xflags = 0x0 [-]\nfsxattr.nextents = 5\n').set('cmp', '');
  disk.query = async (one) => {
    if (one.op !== 'run' || one.program !== 'filefrag') return query(one);
    for (const row of rows) one.watch?.(row);
    return ended as never;
  };
  return disk;
};
const copied = [
  `cp --reflink=never --sparse=always --preserve=timestamps -- ${head} '${head}~'`,
  `chmod 0400 -- '${head}~'`,
  `sync -- '${head}~'`,
];
const replaced = [`mv -T -- '${head}~' ${head}`, 'sync -- /pool'];
const relinked = (number: number, second: number) => {
  const path = `/pool/v.img.${number}@2026-11-20T08:00:0${second}Z`;
  return [`ln -T -- ${head} '${path}~'`, `mv -T -- '${path}~' ${path}`];
};

describe('flatten', () => {
  it('copies, compares and replaces; no name for the state before, no copy made ahead of it', async () => {
    const disk = inPieces(await withStates(1));
    await go(disk, 'start v --prepare');
    const said = await changesOf(disk, 'flatten v');
    expect(said.changes).toEqual([...copied, `rm -f -- ${prepared}`, ...replaced]);
    expect(said.records).toMatchObject([{ kind: 'Frag', outcome: 'flattened', before: 5, ref: 'v@head' }]);
    expect(names(disk)).toEqual(['1']);
  });

  it('takes the names of the head along, but for what is pinned', async () => {
    const disk = inPieces(await withStates(1));
    await go(disk, 'snapshot v', 'label v@2 good');
    expect((await changesOf(disk, 'flatten v')).changes).toEqual([
      ...copied,
      ...replaced,
      ...relinked(2, 1),
      'sync -- /pool',
    ]);
    expect((await say(disk, 'show v@good')).records).toMatchObject([{ number: 2, twin: true, label: 'good' }]);
    await go(disk, 'pin v@2');
    expect((await changesOf(disk, 'flatten v')).changes).toEqual([...copied, ...replaced]);
    expect((await say(disk, 'show v@2')).records).toMatchObject([{ twin: false, pins: ['user'] }]);
  });

  it('finishes what a killed one left: names of the same size, time and bytes', async () => {
    const disk = inPieces(await withStates(1));
    await go(disk, 'snapshot v');
    disk.killAt(6);
    await expect(say(disk, 'flatten v')).rejects.toThrow();
    disk.revive();
    disk.facts.set('xfs_io', 'fsxattr.xflags = 0x0 [-]\nfsxattr.nextents = 1\n');
    const { changes, records } = await changesOf(disk, 'flatten v');
    expect(changes).toEqual([...relinked(2, 1), 'sync -- /pool']);
    expect(records).toMatchObject([{ outcome: 'already' }]);
    expect((await changesOf(disk, 'flatten v')).changes).toEqual([]);
  });

  it('carries over what is known of the image', async () => {
    const disk = inPieces(await poolOf('create v --size 512', 'start v', 'write x'));
    disk.boot = 'boot-2';
    await go(disk, 'stop v');
    expect((await changesOf(disk, 'flatten v')).changes).toEqual([...copied, ...put, ...replaced]);
    expect((await say(disk, 'show v@head')).records).toMatchObject([{ consistency: 'unclean' }]);
  });

  it('puts nothing in place that did not come out the same', async () => {
    const disk = inPieces(await withStates(1));
    const query = disk.query;
    disk.query = async (one) =>
      one.op === 'run' && one.program === 'cmp' ? ({ code: 1, stdout: '', stderr: '' } as never) : query(one);
    const before = [...disk.names];
    expect((await say(disk, 'flatten v')).code).toBe(1);
    expect([...disk.names]).toEqual(before);
  });

  it.each([
    ['what is started', ['start v'], 'flatten v', 3],
    ['a snapshot', ['create s --kind snapshot --source v'], 'flatten s', 3],
    ['a volume during an import', ['import v --begin --size 512'], 'flatten v', 4],
    ['what is not there', [], 'flatten w', 3],
  ])('refuses %s', async (_, history, line, code) => {
    const disk = inPieces(await withStates(1));
    await go(disk, ...history);
    const said = await changesOf(disk, line);
    expect([said.code, said.changes]).toEqual([code, []]);
  });

  it('refuses without room for a full copy, without a head, and what somebody uses', async () => {
    const full = inPieces(await withStates(1));
    full.free = 563;
    expect((await changesOf(full, 'flatten v')).failure).toMatchObject({
      kind: 'refused',
      details: { have: '563 bytes' },
    });
    full.free = 564;
    expect((await say(full, 'flatten v')).code).toBe(0);
    const headless = await withStates(1);
    headless.names.delete(head);
    expect((await say(headless, 'flatten v')).failure).toMatchObject({
      kind: 'refused',
      hint: 'reflink-pool revert v@latest',
    });
    const held = inPieces(await withStates(1));
    await go(held, 'start v');
    held.facts
      .set('/sys/block', [{ name: 'loop0', kind: 'dir' }])
      .set('/sys/block/loop0/loop/backing_file', work)
      .set('losetup', '{"loopdevices":[]}');
    expect((await say(held, 'flatten v')).code).toBe(4);
  });
});
