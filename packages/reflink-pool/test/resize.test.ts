import { describe, expect, it } from 'vitest';
import { resized } from '../src/records/copy.ts';
import type { Disk } from './disk.ts';
import { changesOf, go, head, made, poolOf, put, snapshot, volatile, written } from './pool-of.ts';
import { type Refusal, refuses } from './refusal.ts';
import { say } from './said.ts';

/** A loop device over a file, as sysfs and losetup show it; `listed` is whether losetup sees it, `size` what it shows. */
function loop(disk: Disk, { path, size, listed = true }: { path: string; size: number; listed?: boolean }): void {
  const row = { name: '/dev/loop7', 'back-file': path, 'back-ino': disk.names.get(path)?.ino, 'back-maj:min': '0:7' };
  disk.facts.set('/sys/block', [{ name: 'loop7', kind: 'dir' }]);
  disk.facts.set('/sys/block/loop7/loop/backing_file', `${path}\n`);
  disk.facts.set('/sys/block/loop7/size', String(size / 512));
  disk.facts.set('losetup', JSON.stringify({ loopdevices: listed ? [row] : [] }));
}

/** What the program answers to each change that runs one. */
function answering(disk: Disk, code: number): Disk {
  const door = disk.change.bind(disk);
  disk.change = async (change) => {
    if (change.op !== 'run') return door(change);
    disk.changes.push([change.program, ...change.args].join(' '));
    return { code, stdout: '', stderr: code === 0 ? '' : 'losetup: cannot: Permission denied', report: '' } as never;
  };
  return disk;
}

describe('resize', () => {
  const replacing = (size: number, ...save: string[]) => [
    `cp --reflink=always --preserve=timestamps -- ${head} '${head}~'`,
    `chmod 0600 -- '${head}~'`,
    `truncate -s ${size} -- '${head}~'`,
    `chmod 0400 -- '${head}~'`,
    `sync -- '${head}~'`,
    ...save,
    `mv -T -- '${head}~' ${head}`,
    'sync -- /pool',
  ];
  const save = [`ln -T -- ${head} /pool/v.img.1@2026-11-20T08:00:00Z`, 'sync -- /pool'];

  it('of a stopped volume is a clone that takes the place of the head, which stays as a revision', async () => {
    const disk = await poolOf(made);
    const { changes, records } = await changesOf(disk, 'resize v 1K');
    expect(changes).toEqual(replacing(1024, ...save));
    expect(records.map((record) => resized.parse(record))).toMatchObject([
      { volume: 'v', from: 512, to: 1024, savedAs: 1, loops: [] },
    ]);
    expect((await changesOf(disk, 'resize v 1K')).changes).toEqual([]);
    const back = await changesOf(disk, 'resize v 512 --allow-shrink --confirm=v');
    expect([back.code, back.records]).toMatchObject([0, [{ from: 1024, to: 512, savedAs: 2 }]]);
  });

  it('keeps what it cuts off also where no history is kept; a larger disk cuts off nothing', async () => {
    const disk = await poolOf('create v --size 512 --policy min=none', 'start v --prepare');
    const gone = `rm -f -- /pool/v-precache.img`;
    expect((await changesOf(disk, 'resize v 1K')).changes).toEqual(replacing(1024, gone));
    const cut = await changesOf(disk, 'resize v 512 --allow-shrink --confirm=v');
    expect(cut.records).toMatchObject([{ savedAs: 1 }]);
  });

  it('of a started volume grows the working copy, and says what a guest must be told', async () => {
    const disk = await poolOf(...written);
    const { changes, records, notes } = await changesOf(disk, 'resize v 1K');
    expect(changes).toEqual(['truncate -s 1024 -- /pool/v-dirty.img']);
    expect([records, notes]).toMatchObject([[{ from: 512, to: 1024, savedAs: null }], [/block_resize DRIVE 1024B/]]);
    expect((await changesOf(disk, 'resize v 1K')).changes).toEqual([]);
    await go(disk, 'stop v');
    expect(disk.names.get(head)?.size).toBe(1024);
  });

  it('tells the loop devices over that very file', async () => {
    const disk = answering(await poolOf(...written), 0);
    loop(disk, { path: '/pool/v-dirty.img', size: 512 });
    const { changes, records, notes } = await changesOf(disk, 'resize v 1K');
    expect(changes).toEqual(['truncate -s 1024 -- /pool/v-dirty.img', 'losetup -c /dev/loop7']);
    expect([records, notes]).toMatchObject([[{ loops: [{ name: '/dev/loop7', refreshed: true }] }], []]);
    loop(disk, { path: '/pool/v-dirty.img', size: 1024 });
    expect((await changesOf(disk, 'resize v 1K')).changes).toEqual([]);
    loop(disk, { path: '/pool/v-dirty.img', size: 512 });
    expect((await changesOf(disk, 'resize v 1K')).changes).toEqual(['losetup -c /dev/loop7']);
    loop(disk, { path: head, size: 512 });
    expect((await changesOf(disk, 'resize v 2K')).changes).toEqual(['truncate -s 2048 -- /pool/v-dirty.img']);
  });

  it.each([
    ['refuses', true, /Permission denied/],
    ['is not there', false, /no such device node/],
  ])('is partial where a loop device %s: the file has its size', async (_, listed, why) => {
    const disk = answering(await poolOf(...written), 1);
    loop(disk, { path: '/pool/v-dirty.img', size: 512, listed });
    const { code, records, failure } = await changesOf(disk, 'resize v 1K');
    expect([code, records]).toMatchObject([7, [{ to: 1024, loops: [{ name: '/dev/loop7', refreshed: false }] }]]);
    expect(failure).toMatchObject({ details: { '/dev/loop7': why }, hint: /losetup -c \/dev\/loop7/ });
    expect(disk.names.get('/pool/v-dirty.img')?.size).toBe(1024);
  });

  it('of a volatile volume is noted when it is stopped; what nobody uses any more is not grown', async () => {
    const disk = await poolOf(volatile);
    expect((await changesOf(disk, 'resize t 1K')).changes).toEqual(put('t'));
    await go(disk, 'resize t 512', 'start t', 'resize t 1K');
    expect([disk.names.get('/pool/t-dirty.img')?.size, (await say(disk, 'resize t 512')).code]).toEqual([1024, 3]);
    disk.boot = 'boot-2';
    expect((await changesOf(disk, 'resize t 2K')).changes).toEqual(put('t'));
    await go(disk, 'start t');
    expect(disk.names.get('/pool/t-dirty.img')?.size).toBe(2048);
  });

  it('of a snapshot lasts as long as it is started', async () => {
    const disk = await poolOf(...snapshot, 'start s');
    expect((await changesOf(disk, 'resize s 1K')).changes).toEqual(['truncate -s 1024 -- /pool/s-dirty.img']);
    await go(disk, 'stop s', 'start s');
    expect(disk.names.get('/pool/s-dirty.img')?.size).toBe(512);
  });
});

const rows: Refusal[] = [
  ['a size of no whole sectors', [made], 'resize v 1000', 2, /512/],
  ['a size of nothing', [made], 'resize v 0', 2, /512/],
  ['a fraction of a size', [made], 'resize v 1.5G', 2, /size/],
  ['resizing what is not there', [made], 'resize w 1K', 3, /no volume w/],
  ['resizing what is read-only', ['create v --size 512 --read-only'], 'resize v 1K', 3, /read-only/],
  ['resizing a stopped snapshot', snapshot, 'resize s 1K', 3, /as large as its source/],
  ['cutting a disk', ['create v --size 1K'], 'resize v 512', 3, /smaller/],
  ['cutting a disk unconfirmed', ['create v --size 1K'], 'resize v 512 --allow-shrink', 3, /smaller/],
  ['cutting a disk unsaid', ['create v --size 1K'], 'resize v 512 --confirm=v', 3, /smaller/],
  [
    'cutting what is started',
    ['create v --size 1K', 'start v'],
    'resize v 512 --allow-shrink --confirm=v',
    3,
    /is started/,
  ],
  ['resizing during an import', [made, 'import v --begin --size 512'], 'resize v 1K', 4, /an import into it is open/],
  [
    'resizing a broken volume',
    [...written, 'stop v'],
    'resize v 1K',
    3,
    /no head/,
    (disk) => void disk.names.delete(head),
  ],
  [
    'growing a working copy with two names',
    written,
    'resize v 1K',
    3,
    /more than one name/,
    (disk) => void disk.names.set('/pool/other', disk.names.get('/pool/v-dirty.img') as never),
  ],
];

describe('resize', () => refuses(rows));
