import type { Stat } from '@platter/host/door';
import { lstat } from '@platter/host/looks';
import { describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { changesOf, go, head, poolOf, prepared, work } from './pool-of.ts';
import { say } from './said.ts';

const first = '/pool/v.img.1@2026-11-20T08:00:00Z';
const states = ['create v --size 512', 'start v', 'write x', 'stop v'];
const write = (path: string, data = '') => ({ op: 'write' as const, path, data, mode: 0o600, exclusive: true });

/** Changes what the sidecar says. */
function noted(disk: Disk, changes: (file: Record<string, unknown>) => unknown): void {
  const path = '/pool/.platter/volumes/v.json';
  const file = JSON.parse(disk.content(path) ?? '{}');
  disk.scribble(path, JSON.stringify({ ...file, ...(changes(file) as object) }));
}

const image = { ino: '104', size: 512, mtimeNs: '1', sha256: null, consistency: null };

/** What the disk says of the head: its inode number and its birth. */
async function headOf(disk: Disk): Promise<{ ino: string; birth: bigint }> {
  const { ino, birthNs } = (await disk.query(lstat(head))) as unknown as Stat;
  return { ino: String(ino), birth: birthNs };
}

/** Notes other facts about an image with the head's inode number. */
async function confused(disk: Disk, facts: (birth: bigint) => object): Promise<void> {
  const { ino, birth } = await headOf(disk);
  noted(disk, () => ({ images: [{ ...image, ino, ...facts(birth) }] }));
}

type Row = [what: string, ref: string, problem: string | RegExp, spoil: (disk: Disk) => unknown];

const rows: Row[] = [
  [
    'a head that may be written',
    'v@head',
    'its mode is 0600, not 0400',
    (disk) => disk.change({ op: 'chmod', path: head, mode: 0o600 }),
  ],
  [
    'a revision that may be read',
    'v@1',
    'its mode is 0444, not 0400',
    (disk) => disk.change({ op: 'chmod', path: first, mode: 0o444 }),
  ],
  [
    'two files of one number',
    'v@1',
    /another file has its number/,
    async (disk) => {
      await disk.change({ ...write('/pool/v.img.1@2026-11-21T08:00:00Z'), mode: 0o400 });
    },
  ],
  [
    'a working copy with two names',
    'v',
    `${work} has 2 names`,
    async (disk) => {
      await go(disk, 'start v');
      await disk.change({ op: 'link', from: work, to: '/pool/other' });
    },
  ],
  [
    'a working copy that is a revision',
    'v',
    `${work} is the committed image ${first}`,
    (disk) => disk.change({ op: 'link', from: first, to: work }),
  ],
  [
    'a working copy for everybody',
    'v',
    `the mode of ${work} is 0666: others may open it`,
    async (disk) => {
      await go(disk, 'start v');
      await disk.change({ op: 'chmod', path: work, mode: 0o666 });
    },
  ],
  [
    'a stale copy made ahead',
    'v',
    'the copy made ahead is not of the present head',
    async (disk) => {
      await go(disk, 'start v --prepare');
      disk.scribble(prepared, 'old');
    },
  ],
  [
    'a damaged sidecar',
    'v',
    'its sidecar cannot be read',
    (disk) => disk.scribble('/pool/.platter/volumes/v.json', '{'),
  ],
  ['the sidecar of another', 'v', 'its sidecar is that of w', (disk) => noted(disk, () => ({ name: 'w' }))],
  [
    'notes about a name of other bytes',
    'v@1',
    /what is noted about it is of other bytes/,
    async (disk) => {
      await go(disk, 'label v@1 good');
      disk.scribble(first, 'changed');
    },
  ],
  [
    'an image written since it was noted',
    'v@head',
    'it was written since it was noted',
    (disk) => confused(disk, (birth) => ({ birthNs: `${birth}` })),
  ],
  [
    'the same, noted without a birth',
    'v@head',
    'it was written since it was noted',
    (disk) => confused(disk, (birth) => ({ mtimeNs: `${birth + 1n}` })),
  ],
  [
    'a set without a member',
    'sets/s',
    'its member v@7 is not there',
    (disk) =>
      disk.change(
        write('/pool/.platter/sets/s.json', '{"members":[{"volume":"v","number":1},{"volume":"v","number":7}]}'),
      ),
  ],
  ['a set that is none', 'sets/s', 'it is no set', (disk) => disk.change(write('/pool/.platter/sets/s.json', '{'))],
  [
    'an export without a record',
    'exports/0123456789ab',
    'it has no record',
    (disk) => disk.change({ op: 'link', from: head, to: '/pool/.platter/exports/0123456789ab.img' }),
  ],
  [
    'an export without an image',
    'exports/0123456789ab',
    'it has no image',
    (disk) => disk.change(write('/pool/.platter/exports/0123456789ab.json', '{"volume":"v","number":1}')),
  ],
  [
    'an export whose record cannot be read',
    'exports/0123456789ab',
    'its record cannot be read',
    (disk) => disk.change(write('/pool/.platter/exports/0123456789ab.json', '{')),
  ],
];

describe('verify', () => {
  it('says ok of all that is there, a pool of every kind', async () => {
    const disk = await poolOf(
      ...states,
      'create s --kind snapshot --source v',
      'create t --kind volatile --size 512',
      'start s',
      'start t',
      'start v --prepare',
    );
    const { code, records, changes } = await changesOf(disk, 'verify');
    expect([code, changes, records.map(({ ref, ok, checked }) => [ref, ok, checked])]).toEqual([
      0,
      [],
      ['s', 's@head', 't', 'v', 'v@head', 'v@1'].map((ref) => [ref, true, 'structure']),
    ]);
  });

  it.each(rows)('names %s: exit 5', async (_, ref, problem, spoil) => {
    const disk = await poolOf(...states);
    await spoil(disk);
    const { code, records } = await say(disk, 'verify');
    const wrong = records.filter(({ ok }) => !ok) as { ref: string; problems: string[] }[];
    expect([code, wrong.map((one) => one.ref)]).toEqual([5, expect.arrayContaining([ref])]);
    const told = wrong.find((one) => one.ref === ref)?.problems.join('\n');
    if (typeof problem === 'string') expect(told).toContain(problem);
    else expect(told).toMatch(problem);
  });

  it('does not blame an image for what was noted of another one with its inode number', async () => {
    const disk = await poolOf(...states);
    await confused(disk, (birth) => ({ birthNs: `${birth + 1n}` }));
    expect((await say(disk, 'verify')).code).toBe(0);
    await confused(disk, (birth) => ({ mtimeNs: `${birth - 1n}` }));
    expect((await say(disk, 'verify')).code).toBe(0);
  });

  it('takes volumes and prefixes, and leaves the rest alone', async () => {
    const disk = await poolOf(...states, 'create a/w --size 512');
    await disk.change({ op: 'chmod', path: head, mode: 0o600 });
    expect((await say(disk, 'verify a/')).code).toBe(0);
    expect((await say(disk, 'verify a/w v')).code).toBe(5);
    expect((await say(disk, 'verify -', { stdin: 'a/w\n' })).names).toEqual(['a/w', 'a/w@head']);
    expect([(await say(disk, 'verify x')).code, (await say(disk, 'verify ../x')).code]).toEqual([3, 2]);
  });
});
