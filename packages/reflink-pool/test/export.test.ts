import type { Failure } from '@platter/host/failure';
import { describe, expect, it } from 'vitest';
import { exported as exportSchema } from '../src/records/copy.ts';
import { type Disk, Killed } from './disk.ts';
import { cause, elsewhere, refusing, unshared } from './doors.ts';
import { changesOf, go, head, poolOf } from './pool-of.ts';
import { type Refusal, refuses } from './refusal.ts';
import { say } from './said.ts';

const made = 'create v --size 512';
const exportsDir = '/pool/.platter/exports';
const exported = (id: string, end: string) => `${exportsDir}/${id}.${end}`;

/** An open export as it lies on the disk. */
async function exportAt(disk: Disk, from: string, { number }: { number: number | null }): Promise<void> {
  const data = JSON.stringify({ volume: 'v', number, expiresAt: null });
  await disk.change({ op: 'write', path: exported('0123456789ab', 'json'), data, mode: 0o600, exclusive: true });
  await disk.change({ op: 'link', from, to: exported('0123456789ab', 'img') });
}

describe('an open export', () => {
  const former = '/pool/v.img.1@2026-11-20T08:00:00Z';

  it('is listed, and keeps its revision from retention', async () => {
    const disk = await poolOf('create v --size 512 --policy count=0,min=latest', 'start v', 'write x', 'stop v');
    await exportAt(disk, former, { number: 1 });
    expect((await say(disk, 'list --exports')).records).toMatchObject([
      { kind: 'Export', volume: 'v', number: 1, outcome: 'open', method: 'link' },
    ]);
    await go(disk, 'start v', 'write y', 'stop v');
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@1', 'v@2']);
  });

  it('of a head keeps the number that image gets later, and is listed under it', async () => {
    const disk = await poolOf('create v --size 512 --policy count=0,min=latest');
    await exportAt(disk, head, { number: null });
    expect((await say(disk, 'list --exports')).records).toMatchObject([{ number: null }]);
    await go(disk, 'start v', 'write x', 'stop v', 'start v', 'write y', 'stop v');
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@1', 'v@2']);
    expect((await say(disk, 'list --exports')).records).toMatchObject([{ number: 1 }]);
  });

  it('of one volume keeps no name of another that shares the image', async () => {
    const disk = await poolOf('create v --size 512', 'create w --size 512 --policy count=0,min=latest');
    await exportAt(disk, head, { number: null });
    disk.names.set('/pool/w.img', disk.names.get(head) as never);
    for (const letter of ['x', 'y']) {
      await go(disk, 'start w');
      disk.scribble('/pool/w-dirty.img', letter);
      await go(disk, 'stop w');
    }
    expect((await say(disk, 'list --revisions')).names).toEqual(['w@2']);
  });
});

const id = (text: string) => /([0-9a-f]{12})\.img/.exec(text)?.[1] ?? '';
const listed = async (disk: Disk) => (await say(disk, 'list --exports')).names;
const inExports = (disk: Disk) => [...disk.names.keys()].filter((path) => path.startsWith(`${exportsDir}/`));

describe('export', () => {
  it('notes what it is of, then gives the image one more name: no clone', async () => {
    const disk = await poolOf(made);
    const { changes, records, names } = await changesOf(disk, 'export v');
    const [path = ''] = names;
    expect(changes).toEqual([
      "install -m 0600 /dev/null '/pool/.platter/volumes/v.json~'",
      `mv -T -- '/pool/.platter/volumes/v.json~' ${exported(id(path), 'json')}`,
      `ln -T -- ${head} ${path}`,
      `sync -- ${exportsDir}`,
    ]);
    expect(records.map((record) => exportSchema.parse(record))).toMatchObject([
      { volume: 'v', number: null, method: 'link', outcome: 'open', expiresAt: '2026-11-21T12:00:00Z', size: 512 },
    ]);
    expect(await listed(disk)).toEqual([id(path)]);
    expect(JSON.parse(disk.content(exported(id(path), 'json')) ?? '')).toEqual({
      ...{ id: id(path), volume: 'v', number: null, createdAt: '2026-11-20T12:00:00Z' },
      ...{ expiresAt: '2026-11-21T12:00:00Z', method: 'link' },
    });
  });

  it('is kept as long as was said, and called by the number the state has', async () => {
    const disk = await poolOf(made, 'start v', 'write x', 'stop v');
    expect((await say(disk, 'export v@1 --expires never')).records).toMatchObject([{ number: 1, expiresAt: null }]);
    expect((await say(disk, 'export v@latest --expires 7d')).records).toMatchObject([
      { number: 1, expiresAt: '2026-11-27T12:00:00Z' },
    ]);
    await go(disk, 'revert v@1');
    expect((await say(disk, 'export v')).records).toMatchObject([{ number: null }]);
    await go(disk, 'start v');
    const said = await say(disk, 'export v');
    expect([said.code, said.notes]).toEqual([0, [expect.stringContaining('without what was written')]]);
  });

  it.each(['EXDEV', 'EMLINK', 'EPERM'])('where no link can be made (%s) is a clone, and says so', async (code) => {
    const disk = await refusing(({ op }) => (op === 'link' ? cause(code) : undefined), made);
    const { names, records } = await changesOf(disk, 'export v');
    expect(records).toMatchObject([{ method: 'reflink' }]);
    expect((await say(disk, 'list --exports')).records).toMatchObject([{ id: id(names[0] ?? ''), method: 'reflink' }]);
    expect(disk.names.get(names[0] ?? '')).toMatchObject({ mode: 0o400 });
    expect(inExports(disk)).toHaveLength(2);
  });

  it('that is a clone keeps the revision it was made of too, until it is ended', async () => {
    const policy = 'create v --size 512 --policy count=0,min=latest';
    const disk = elsewhere(await poolOf(policy, 'start v', 'write x', 'stop v'), exportsDir);
    const [path = ''] = (await say(disk, 'export v@1 --allow-copy')).names;
    await go(disk, 'start v', 'write y', 'stop v');
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@1', 'v@2']);
    await go(disk, `export --end ${id(path)}`, 'prune');
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@2']);
  });

  it('on another device tries no link: the dry run is right about it', async () => {
    const disk = elsewhere(await poolOf(made), exportsDir);
    const said = await changesOf(disk, 'export v');
    expect([said.code, said.failure?.hint]).toEqual([6, expect.stringContaining('--allow-copy')]);
    expect(said.changes).toEqual([]);
    expect((await say(disk, 'export v --allow-copy')).records).toMatchObject([{ method: 'copy' }]);
  });

  it.each([
    ['EIO', cause('EIO'), 1],
    ['extents that cannot be shared', unshared, 6],
  ])('that fails (%s) leaves nothing', async (_, failure, code) => {
    const disk = await refusing(
      ({ op }) => (op === 'link' ? cause(code === 1 ? 'EIO' : 'EXDEV') : op === 'copy' ? failure : undefined),
      made,
    );
    expect((await say(disk, 'export v')).code).toBe(code);
    expect(inExports(disk)).toEqual([]);
  });

  it('keeps the image when its volume is removed, until it is ended; ended twice is no harm', async () => {
    const disk = await poolOf(made);
    const [path = ''] = (await say(disk, 'export v')).names;
    await go(disk, 'remove v --confirm=v');
    expect(disk.names.has(path)).toBe(true);
    const { changes, records } = await changesOf(disk, `export --end ${id(path)}`);
    expect(changes).toEqual([`rm -f -- ${path}`, `rm -f -- ${exported(id(path), 'json')}`, `sync -- ${exportsDir}`]);
    expect(records.map((record) => exportSchema.parse(record))).toMatchObject([{ volume: 'v', outcome: 'ended' }]);
    const again = await changesOf(disk, `export --end ${id(path)}`);
    expect([again.code, again.changes, again.texts]).toEqual([0, [], [`${id(path)}  is not open`]]);
    expect(again.records.map((record) => exportSchema.parse(record))).toMatchObject([{ volume: null }]);
  });

  it('sweeps what crashes left of exports of its volume, and of nobody; never another one that is being made', async () => {
    const disk = await poolOf(made, 'create w --size 512');
    for (const volume of ['v', 'w']) {
      disk.killAt(3);
      await expect(say(disk, `export ${volume}`)).rejects.toThrow(Killed);
      disk.revive();
    }
    const notes = inExports(disk);
    expect(notes).toHaveLength(2);
    for (const name of ['aaaaaaaaaaaa.img', 'bbbbbbbbbbbb.img~abcdefgh', 'notes.img', 'cccccccccccc.json'])
      await disk.change({ op: 'write', path: `${exportsDir}/${name}`, data: '', mode: 0o400, exclusive: true });
    expect(await listed(disk)).toEqual([]);
    const [path = ''] = (await say(disk, 'export v')).names;
    expect(inExports(disk).sort()).toEqual(
      [
        ...notes.filter((one) => disk.content(one)?.includes('"w"')),
        ...['cccccccccccc.json', 'notes.img'].map((name) => `${exportsDir}/${name}`),
        ...[path, exported(id(path), 'json')],
      ].sort(),
    );
  });
});

describe('an export that is over', () => {
  const day = 86_400_000;
  const tomorrow = () => Date.parse('2026-11-20T12:00:00Z') + day;
  const kept = ['create v --size 512 --policy count=0,min=latest', 'start v', 'write x', 'stop v'];

  it('keeps its revision no more, and is ended by prune; another one is not', async () => {
    const disk = await poolOf(...kept, 'export v@1', 'start v', 'write y', 'stop v', 'export v@2 --expires never');
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@1', 'v@2']);
    const [left] = (await say(disk, 'list --exports')).records.filter(({ expiresAt }) => expiresAt === null);
    await say(disk, 'prune --explain', { now: tomorrow });
    expect(await listed(disk)).toHaveLength(2);
    expect((await say(disk, 'prune v', { now: () => tomorrow() - 1000 })).code).toBe(0);
    expect(await listed(disk)).toHaveLength(2);
    expect((await say(disk, 'prune v', { now: tomorrow })).names).toEqual(['v@1']);
    expect(await listed(disk)).toEqual([left?.id]);
  });

  it('is ended also when its volume is gone, or is of another kind now', async () => {
    const disk = await poolOf(made, 'export v', 'remove v --confirm=v', 'create w --size 512', 'export w --expires 2d');
    await go(disk, 'create v --kind volatile --size 512', 'prune w');
    expect(await listed(disk)).toHaveLength(2);
    expect((await say(disk, 'prune', { now: tomorrow })).code).toBe(0);
    expect((await say(disk, 'list --exports')).records).toMatchObject([{ volume: 'w' }]);
    expect(inExports(disk)).toHaveLength(2);
  });

  it('that was never whole is swept by prune, though its volume is gone', async () => {
    const disk = await poolOf(made);
    disk.killAt(3);
    await expect(say(disk, 'export v')).rejects.toThrow(Killed);
    disk.revive();
    await go(disk, 'remove v --confirm=v');
    expect(inExports(disk)).toHaveLength(1);
    await go(disk, 'prune');
    expect(inExports(disk)).toEqual([]);
  });

  it('of which nothing says what it is of goes when it is named', async () => {
    const disk = await poolOf(made, 'export v');
    const [path = ''] = inExports(disk);
    disk.scribble(path.replace(/img$/, 'json'), '{');
    await go(disk, 'prune', 'export v');
    expect(inExports(disk)).toHaveLength(4);
    expect((await changesOf(disk, `export --end ${id(path.replace('json', 'img'))}`)).changes).toHaveLength(2);
    expect(inExports(disk)).toHaveLength(2);
  });
});

describe('export to a file', () => {
  const out = async (...history: string[]) => {
    const disk = await poolOf(made, ...history);
    await disk.change({ op: 'mkdir', path: '/out', mode: 0o700 });
    return disk;
  };
  const written = (how: string) => [
    `cp ${how} --preserve=timestamps -- ${head} '/out/v.raw~reflink-pool~'`,
    "chmod 0600 -- '/out/v.raw~reflink-pool~'",
    "sync -- '/out/v.raw~reflink-pool~'",
    "ln -T -- '/out/v.raw~reflink-pool~' /out/v.raw",
    "rm -f -- '/out/v.raw~reflink-pool~'",
    'sync -- /out',
  ];

  it('is a clone that anybody may write, put in place whole', async () => {
    const disk = await out();
    const { changes, records, names } = await changesOf(disk, 'export v /out/v.raw');
    expect(changes).toEqual(written('--reflink=always'));
    expect(records.map((record) => exportSchema.parse(record))).toMatchObject([
      { id: null, path: '/out/v.raw', method: 'reflink', outcome: 'written', expiresAt: null },
    ]);
    expect([names, disk.names.get('/out/v.raw')?.mode]).toEqual([['/out/v.raw'], 0o600]);
    expect((await changesOf(disk, 'export v /out/v.raw')).failure?.message).toContain('there already');
  });

  it('on another filesystem only where a copy is allowed', async () => {
    const disk = elsewhere(await out(), '/out');
    expect(await changesOf(disk, 'export v /out/v.raw')).toMatchObject({ code: 6, changes: [] });
    const { changes, records } = await changesOf(disk, 'export v /out/v.raw --allow-copy');
    expect(changes).toEqual(written('--reflink=never --sparse=always'));
    expect(records).toMatchObject([{ method: 'copy' }]);
  });

  it('is a copy, when allowed, where cp cannot share extents; never after an error', async () => {
    const asked = async (failure: Failure, line: string) => {
      const disk = await refusing((change) => (change.op === 'copy' && change.reflink ? failure : undefined), made);
      await disk.change({ op: 'mkdir', path: '/out', mode: 0o700 });
      return say(disk, line);
    };
    expect((await asked(unshared, 'export v /out/v.raw')).failure?.hint).toContain('--allow-copy');
    expect((await asked(unshared, 'export v /out/v.raw --allow-copy')).records).toMatchObject([{ method: 'copy' }]);
    expect(await asked(cause('EIO'), 'export v /out/v.raw --allow-copy')).toMatchObject({ code: 1 });
  });

  it('on a filesystem without links is renamed into place, unless somebody was faster', async () => {
    const disk = await out();
    const door = disk.change.bind(disk);
    let faster = false;
    disk.change = async (change) => {
      if (change.op !== 'link') return door(change);
      if (faster) await door({ op: 'write', path: '/out/w.raw', data: '', mode: 0o600, exclusive: true });
      throw cause('EPERM');
    };
    expect((await changesOf(disk, 'export v /out/v.raw')).changes).toContain(
      "mv -T -- '/out/v.raw~reflink-pool~' /out/v.raw",
    );
    faster = true;
    expect((await say(disk, 'export v /out/w.raw')).failure?.message).toContain('there already');
    expect(disk.names.get('/out/w.raw')?.size).toBe(0);
  });

  it('sweeps what a crash left of the same file', async () => {
    const disk = await out();
    disk.killAt(3);
    await expect(say(disk, 'export v /out/v.raw')).rejects.toThrow(Killed);
    disk.revive();
    await disk.change({ op: 'write', path: '/out/v.raw~original', data: '', mode: 0o600, exclusive: true });
    await go(disk, 'export v /out/v.raw');
    expect([...disk.names.keys()].filter((path) => path.startsWith('/out/'))).toEqual([
      '/out/v.raw~original',
      '/out/v.raw',
    ]);
  });
});

const snapshot = [made, 'create s --kind snapshot --source v'];
const volatile = 'create t --kind volatile --size 512';

const rows: Refusal[] = [
  ['an unknown volume', [made], 'export w', 3, /no volume w/],
  ['an unknown revision', [made], 'export v@7', 3, /no revision v@7/],
  ['a snapshot, which is its source', snapshot, 'export s', 3, /no committed image/],
  ['a started snapshot', [...snapshot, 'start s'], 'export s', 3, /no committed image/],
  ['a volatile volume', [volatile], 'export t', 3, /no committed image/],
  ['an export of nothing', [], 'export', 2, /say one/],
  ['an export and an end', [made], 'export v --end 0123456789ab', 2, /say one/],
  ['an id that is none', [], 'export --end v', 2, /12 hexadecimal/],
  ['an expiry that is none', [made], 'export v --expires soon', 2, /duration/],
  ['an expiry of a file', [made], 'export v /x --expires 1d', 2, /stays/],
  ['stdout', [made], 'export v -', 2, /its path/],
  ['a folder that is not there', [made], 'export v /nowhere/x', 3, /no directory/],
  ['a file in the pool', [made], 'export v /pool/x.img', 3, /in the pool/],
];

describe('export', () => refuses(rows));
