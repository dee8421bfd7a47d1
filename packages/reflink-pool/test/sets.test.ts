import { describe, expect, it } from 'vitest';
import { type Disk, Killed } from './disk.ts';
import { changesOf, go, poolOf } from './pool-of.ts';
import { say } from './said.ts';

const members = [
  { volume: 'v', number: 1 },
  { volume: 'w', number: 1 },
];
const set = '/pool/.platter/sets/s.json';
const facts = { side: false, label: null, pins: [], expiresAt: null, set: 's' };

const write = (disk: Disk, path: string, value: unknown) =>
  disk.change({ op: 'write', path, data: JSON.stringify(value), mode: 0o600, exclusive: true });

/** Two volumes of two states each, and a set of the first ones. */
async function twoVolumes(): Promise<Disk> {
  const disk = await poolOf('create v --size 512', 'create w --size 512');
  for (const name of ['v', 'w']) {
    await go(disk, `start ${name}`);
    disk.scribble(`/pool/${name}-dirty.img`, `new ${name}`);
    await go(disk, `stop ${name}`);
    const path = `/pool/.platter/volumes/${name}.json`;
    const { size, mtimeNs } = [...disk.names].find(([one]) => one.startsWith(`/pool/${name}.img.1@`))?.[1] ?? {
      size: 0,
      mtimeNs: 0n,
    };
    const file = JSON.parse(disk.content(path) ?? '');
    disk.scribble(path, JSON.stringify({ ...file, revisions: { 1: { ...facts, size, mtimeNs: String(mtimeNs) } } }));
  }
  await write(disk, set, { members, createdAt: '2026-11-20T08:00:00Z', consistency: 'crash' });
  return disk;
}

const heads = (disk: Disk) => ['v', 'w'].map((name) => disk.content(`/pool/${name}.img`));
const unfinished = (disk: Disk) => [...disk.names.keys()].filter((path) => /~|\.(intent|revert)$/.test(path));

describe('a set', () => {
  it('is listed, and a state of it is found by its name', async () => {
    const disk = await twoVolumes();
    expect((await say(disk, 'list --sets')).texts).toEqual(['s  2026-11-20T08:00:00Z  crash  v@1  w@1']);
    expect((await say(disk, 'show v@s')).records).toMatchObject([{ ref: 'v@1', set: 's' }]);
  });

  it('is reverted to as one', async () => {
    const disk = await twoVolumes();
    expect((await say(disk, 'revert --set s')).texts.join('\n')).toMatch(/v {2}is v@1 again.*v@2.*w {2}is w@1 again/s);
    expect([heads(disk), unfinished(disk)]).toEqual([['', ''], []]);
    expect((await changesOf(disk, 'revert --set s')).records).toMatchObject([
      { outcome: 'already' },
      { outcome: 'already' },
    ]);
  });

  it.each(Array.from({ length: 18 }, (_, n) => n + 1))(
    'is reverted to whole or not at all, killed at change %i',
    async (n) => {
      const disk = await twoVolumes();
      disk.killAt(n);
      const died = await say(disk, 'revert --set s').then(
        () => false,
        (error) => error instanceof Killed,
      );
      disk.revive();
      if (died) await say(disk, 'stop w');
      expect(heads(disk)).toBeOneOf([
        ['', ''],
        ['new v', 'new w'],
      ]);
      expect((await say(disk, 'revert --set s')).code).toBe(0);
      expect([heads(disk), unfinished(disk)]).toEqual([['', ''], []]);
    },
  );

  it('that was not finished is undone by the next verb, and seen by nobody before', async () => {
    const disk = await twoVolumes();
    const [image] = [...disk.names].find(([path]) => path === '/pool/v.img') ?? [''];
    await disk.change({ op: 'link', from: image, to: '/pool/v.img.2@2026-11-20T09:00:00Z' });
    const making = [
      { volume: 'v', number: 2 },
      { volume: 'w', number: 2 },
    ];
    await write(disk, '/pool/.platter/sets/t.intent', { members: making });
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@1', 'w@1']);
    expect((await say(disk, 'revert w@1')).records).toMatchObject([{ savedAs: 2 }]);
    expect(unfinished(disk)).toEqual([]);
    expect([...disk.names.keys()].filter((path) => path.includes('.img.2@'))).toEqual([
      expect.stringContaining('/w.img.2@'),
    ]);
  });

  it('is removed with its members, unless one is pinned', async () => {
    const disk = await twoVolumes();
    expect((await changesOf(disk, 'remove --set s')).code).toBe(3);
    expect((await say(disk, 'remove --set s --confirm=s')).records).toMatchObject([{ outcome: 'removed' }]);
    expect((await say(disk, 'list --revisions')).names).toEqual([]);
    expect((await say(disk, 'remove --set s --confirm=s')).records).toMatchObject([{ outcome: 'already' }]);
    expect((await say(disk, 'revert --set s')).code).toBe(3);
    expect((await say(disk, 'revert v --set s')).code).toBe(2);
  });
});
