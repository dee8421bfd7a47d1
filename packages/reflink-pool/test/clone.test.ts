import type { Change } from '@platter/host/door';
import { describe, expect, it } from 'vitest';
import { cloned } from '../src/records/copy.ts';
import { Killed } from './disk.ts';
import { cause, elsewhere, refusing, unshared } from './doors.ts';
import { changesOf, go, head, made, poolOf, put, snapshot, volatile, written } from './pool-of.ts';
import { type Refusal, refuses } from './refusal.ts';
import { say } from './said.ts';

const busy = (change: Change) => (change.op === 'remove' && change.path === '/pool/busy' ? cause('EBUSY') : undefined);

describe('clone', () => {
  const link = [`ln -T -- ${head} /pool/w.img`, 'sync -- /pool'];

  it('is a sidecar and one more name of the image: no clone', async () => {
    const disk = await poolOf(made);
    const { changes, records } = await changesOf(disk, 'clone v w');
    expect(changes).toEqual([...put('w'), ...link]);
    expect(records.map((record) => cloned.parse(record))).toMatchObject([
      { volume: 'w', from: 'v@head', path: '/pool/w.img', method: 'link' },
    ]);
    expect((await say(disk, 'show w')).records).toMatchObject([
      { volumeKind: 'saved', state: 'stopped', rw: true, policy: null, revisions: 0 },
    ]);
  });

  it('of a revision or of a started volume: the committed state, with a note', async () => {
    const disk = await poolOf(...written, 'stop v', 'start v', 'write y');
    expect((await say(disk, 'clone v@1 a/b/old --read-only --policy count=3')).records).toMatchObject([
      { from: 'v@1', path: '/pool/a/b/old.img' },
    ]);
    expect((await say(disk, 'show a/b/old')).records).toMatchObject([{ rw: false, policy: 'min=none,count=3' }]);
    const { notes } = await say(disk, 'clone v w');
    expect(notes).toEqual([expect.stringContaining('v is started')]);
    expect([disk.content('/pool/a/b/old.img'), disk.content('/pool/w.img')]).toEqual(['', 'x']);
  });

  it('takes along what is known of the image', async () => {
    const disk = await poolOf(...written);
    disk.boot = 'boot-2';
    await go(disk, 'stop v', 'clone v w');
    expect((await say(disk, 'show w@head')).records).toMatchObject([{ consistency: 'unclean' }]);
    const other = await refusing(({ op }) => (op === 'link' ? cause('EMLINK') : undefined), ...written);
    other.boot = 'boot-2';
    await go(other, 'stop v', 'clone v w');
    expect((await say(other, 'show w@head')).records).toMatchObject([{ consistency: 'unclean' }]);
  });

  it.each(['EXDEV', 'EMLINK', 'EPERM'])('where no link can be made (%s) clones the bytes', async (code) => {
    const disk = await refusing(({ op }) => (op === 'link' ? cause(code) : undefined), made);
    const { changes, records } = await changesOf(disk, 'clone v w');
    expect(changes).toEqual([
      ...put('w'),
      `cp --reflink=always --preserve=timestamps -- ${head} '/pool/w.img~'`,
      "chmod 0400 -- '/pool/w.img~'",
      ...put('w'),
      "sync -- '/pool/w.img~'",
      "mv -T -- '/pool/w.img~' /pool/w.img",
      'sync -- /pool',
    ]);
    expect(records).toMatchObject([{ method: 'reflink' }]);
  });

  it('copies only where that is allowed, or the pool was made so', async () => {
    const barred = ({ op, ...change }: Change) =>
      op === 'link' ? cause('EMLINK') : 'reflink' in change && change.reflink ? unshared : undefined;
    const said = await say(await refusing(barred, made), 'clone v w');
    expect([said.code, said.failure?.hint]).toEqual([6, expect.stringContaining('--allow-copy')]);
    const allowed = await say(await refusing(barred, made), 'clone v w --allow-copy');
    expect(allowed.records).toMatchObject([{ method: 'copy' }]);
    const disk = await refusing(barred, made);
    const settings = disk.content('/pool/.platter/pool.json') ?? '';
    disk.scribble('/pool/.platter/pool.json', settings.replace('"backend":"reflink"', '"backend":"copy"'));
    expect((await say(disk, 'clone v w')).records).toMatchObject([{ method: 'copy' }]);
  });

  it('into another filesystem is refused before anything is written', async () => {
    const disk = elsewhere(await poolOf(made), '/pool/far');
    await disk.change({ op: 'mkdir', path: '/pool/far', mode: 0o700 });
    expect(await changesOf(disk, 'clone v far/w')).toMatchObject({ code: 6, changes: [] });
    expect((await say(disk, 'clone v far/w --allow-copy')).records).toMatchObject([{ method: 'copy' }]);
  });

  it('into a directory that others made or mounted leaves it there when it is removed', async () => {
    const disk = elsewhere(await refusing(busy, made), '/pool/far');
    for (const path of ['/pool/far', '/pool/busy']) await disk.change({ op: 'mkdir', path, mode: 0o700 });
    await go(disk, 'clone v far/a/w --allow-copy', 'clone v busy/w', 'clone v own/w');
    await go(disk, 'remove far/a/w busy/w own/w --confirm=far/a/w --confirm=busy/w --confirm=own/w');
    const left = [...disk.names].filter(([path, { dir }]) => dir && !path.includes('.platter')).map(([path]) => path);
    expect(left.sort()).toEqual(['/pool', '/pool/busy', '/pool/far']);
  });

  it('that died before the link has made no volume, and is made again', async () => {
    const disk = await poolOf(made);
    disk.killAt(4);
    await expect(say(disk, 'clone v w')).rejects.toThrow(Killed);
    disk.revive();
    expect((await say(disk, 'list')).names).toEqual(['v']);
    expect((await say(disk, 'start w')).code).toBe(3);
    expect((await changesOf(disk, 'clone v w')).changes).toEqual([...put('w'), ...link]);
  });

  it('of a state that goes meanwhile is to be tried again', async () => {
    const disk = await refusing(({ op }) => (op === 'link' ? cause('ENOENT') : undefined), made);
    expect(await say(disk, 'clone v w')).toMatchObject({ code: 4 });
  });
});

const rows: Refusal[] = [
  ['a clone of what is not there', [made], 'clone w x', 3, /no volume w/],
  ['a clone of a revision that is not there', [made], 'clone v@7 w', 3, /no revision v@7/],
  ['a clone to a name that is taken', [made, 'create w --size 512'], 'clone v w', 3, /there already/],
  ['a clone to itself', [made], 'clone v v', 3, /there already/],
  ['a clone of a snapshot', snapshot, 'clone s w', 3, /no committed image/],
  ['a clone of a volatile volume', [volatile], 'clone t w', 3, /no committed image/],
  ['a clone to a revision', [made], 'clone v w@1', 2, /volume name/],
  ['a clone with a bad policy', [made], 'clone v w --policy often', 2, /policy/],
  [
    'a clone over a file of the family',
    [made],
    'clone v w',
    3,
    /there already/,
    (disk) => void disk.names.set('/pool/w-precache.img', disk.names.get(head) as never),
  ],
  ['a clone of a headless volume', written, 'clone v w', 3, /no head/, (disk) => void disk.names.delete(head)],
];

describe('clone', () => refuses(rows));
