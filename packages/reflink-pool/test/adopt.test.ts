import { describe, expect, it } from 'vitest';
import { Disk } from './disk.ts';
import { changesOf } from './pool-of.ts';
import { say } from './said.ts';

/** A directory with files of these names, each with content of its own, that is no pool yet. */
async function filesOf(...names: string[]): Promise<Disk> {
  const disk = new Disk('/pool');
  disk.facts.set('/proc', []).set('/sys/block', []).set('/proc/self/mountinfo', '');
  for (const name of names) {
    const parts = `/pool/${name}`.split('/').slice(0, -1);
    for (let depth = 3; depth <= parts.length; depth += 1) {
      const path = parts.slice(0, depth).join('/');
      if (!disk.names.has(path)) await disk.change({ op: 'mkdir', path, mode: 0o700 });
    }
    await disk.change({ op: 'write', path: `/pool/${name}`, data: name, mode: 0o600, exclusive: true });
  }
  return disk;
}

const time = '@2026-11-07T08:12:44Z';
/** The changes to what lies outside `.platter`. */
const outside = (changes: readonly string[]) => changes.filter((one) => !one.includes('/.platter'));

describe('adopt', () => {
  it('closes images, notes the volume, and renames, copies and removes nothing', async () => {
    const disk = await filesOf('a/v.img', `a/v.img.3${time}`, 'a/v-precache.img', 'a/v-import.img', 'a/v.img~abcdefgh');
    const { code, changes, texts, records } = await changesOf(disk, 'adopt');
    expect([code, texts]).toEqual([0, ['a/v   adopted  saved     1 revision']]);
    expect(outside(changes)).toEqual([
      'sync -- /pool',
      'chmod 0400 -- /pool/a/v.img',
      `chmod 0400 -- /pool/a/v.img.3${time}`,
    ]);
    expect(records).toMatchObject([{ kind: 'Volume', volume: 'a/v', outcome: 'adopted', policy: 'min=all' }]);
  });

  it('says already the second time, and closes what another driver wrote since', async () => {
    const disk = await filesOf('v.img');
    await say(disk, 'adopt --keep 3');
    expect((await say(disk, 'show v')).records).toMatchObject([{ policy: 'min=none,count=3' }]);
    const again = await changesOf(disk, 'adopt');
    expect([again.code, again.changes, again.texts]).toEqual([0, [], ['v   already  saved     0 revisions']]);
    await disk.change({ op: 'chmod', path: '/pool/v.img', mode: 0o600 });
    expect((await changesOf(disk, 'adopt')).changes).toEqual(['chmod 0400 -- /pool/v.img']);
  });

  it('leaves the policy of what is a volume already, and says how to change it', async () => {
    const disk = await filesOf('v.img');
    await say(disk, 'adopt');
    const { notes } = await say(disk, 'adopt --keep 3');
    expect(notes).toContain('v keeps its policy: reflink-pool prune v --policy min=none,count=3 --save');
    expect((await say(disk, 'show v')).records).toMatchObject([{ policy: 'min=all' }]);
  });

  it('takes a working copy in the stride, and a volume without a head', async () => {
    const disk = await filesOf(
      'run.img',
      'run-dirty.img',
      `broken.img.1${time}`,
      `headless.img.1${time}`,
      'headless-dirty.img',
    );
    expect((await say(disk, 'adopt')).code).toBe(0);
    expect((await say(disk, 'list')).records.map(({ volume, state }) => [volume, state])).toEqual([
      ['broken', 'broken'],
      ['headless', 'headless'],
      ['run', 'unclean'],
    ]);
  });

  it('takes only what lies below its words', async () => {
    const disk = await filesOf('a/v.img', 'a/w.img', 'ab/v.img', 'b.img');
    expect((await say(disk, 'adopt a/ b')).names).toEqual(['a/v', 'a/w', 'b']);
    expect((await say(disk, 'adopt ab/v -o name')).names).toEqual(['ab/v']);
    const { code, failure } = await say(disk, 'adopt c');
    expect([code, failure?.message, failure?.hint]).toEqual([3, 'there are no images below c', 'b, a/v, a/w']);
  });

  it('does not make an empty directory a pool, and has nothing to do in an empty pool', async () => {
    const disk = await filesOf();
    const refused = await changesOf(disk, 'adopt');
    expect([refused.code, refused.changes, refused.failure?.hint]).toEqual([3, [], 'reflink-pool init --pool /pool']);
    await say(disk, 'init');
    expect((await changesOf(disk, 'adopt')).code).toBe(0);
  });

  it('keeps everything by default in a pool that lost its settings, for what is noted there meant the old ones', async () => {
    const disk = await filesOf();
    await say(disk, 'init');
    await say(disk, 'create v --size 512');
    disk.names.delete('/pool/.platter/pool.json');
    await say(disk, 'adopt');
    expect((await say(disk, 'show')).records).toMatchObject([{ policy: 'min=all' }]);
    const fresh = await filesOf('v.img');
    await say(fresh, 'adopt');
    expect((await say(fresh, 'show')).records).toMatchObject([{ policy: 'min=latest,count=1' }]);
  });

  it('sweeps what a crash left of the sidecar', async () => {
    const disk = await filesOf('v.img');
    await say(disk, 'adopt');
    const temp = '/pool/.platter/volumes/v.json~abcdefgh';
    await disk.change({ op: 'write', path: temp, data: '', mode: 0o600, exclusive: true });
    expect((await changesOf(disk, 'adopt')).changes).toEqual(["rm -f -- '/pool/.platter/volumes/v.json~'"]);
  });
});

type Row = [what: string, names: string[], row: string, prepare?: (disk: Disk) => Promise<unknown> | unknown];

const link = (from: string, to: string) => (disk: Disk) => disk.change({ op: 'link', from, to });
const mounted = (disk: Disk) =>
  disk.facts.set('/proc/self/mountinfo', '1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /pool/a rw - ext4 b rw\n');
const loop = (disk: Disk) => {
  disk.facts
    .set('/sys/block', [{ name: 'loop0', kind: 'dir' }])
    .set('/sys/block/loop0/loop/backing_file', '/pool/v.img');
  const row = { name: '/dev/loop0', 'back-file': '/pool/v.img', 'back-ino': 101 + 1, 'back-maj:min': '0:7', ro: false };
  disk.facts.set('losetup', JSON.stringify({ loopdevices: [row] }));
};

const rows: Row[] = [
  [
    'what an older driver has not committed',
    ['v.img', 'v-cow.img'],
    'v-cow.img: let the old driver commit it, or delete it',
  ],
  ['its older half', ['a/v.img', 'a/v-cow.img.old'], 'a/v-cow.img.old: let the old driver commit it, or delete it'],
  [
    'a working copy alone',
    ['v-dirty.img'],
    'v-dirty.img: adopt --as saved if a stop shall keep it; else stop the VM, remove it, and create it with --kind',
  ],
  [
    'a working copy with two names',
    ['v.img'],
    'v-dirty.img: find that name, and give the working copy a file of its own: find POOL -samefile /pool/v-dirty.img',
    link('/pool/v.img', '/pool/v-dirty.img'),
  ],
  [
    'two files of one number',
    ['v.img', `v.img.3${time}`, 'v.img.3@2026-11-08T08:12:44Z'],
    'v.img.3@2026-11-08T08:12:44Z: mv one of the two out of the pool',
  ],
  ['what lies on another mount', ['a/v.img'], '/pool/a: umount it: links and renames do not cross it', mounted],
  ['a head that is written', ['v.img'], 'v.img: stop what writes it: loop device /dev/loop0', loop],
  ['leftovers', ['v-precache.img'], 'v-precache.img: delete it, nothing else is left of v'],
  [
    'a running snapshot',
    ['s-dirty.img', 'v.img'],
    's.img: the head of v too: stop the VM, then create --kind snapshot; or adopt --as saved',
    link('/pool/v.img', '/pool/s.img'),
  ],
];

describe('adopt refuses', () => {
  it.each(rows)('%s: exit 3 and no change at all', async (_, names, row, prepare) => {
    const disk = await filesOf(...names);
    await prepare?.(disk);
    const { code, changes, failure } = await changesOf(disk, names.includes('s-dirty.img') ? 'adopt s' : 'adopt');
    expect([code, changes, `${failure?.details.by}: ${failure?.hint}`]).toEqual([3, [], row]);
  });

  it.each(rows)('%s beside a good one: exit 7 and a row', async (_, names, row, prepare) => {
    const disk = await filesOf(...names);
    await prepare?.(disk);
    await disk.change({ op: 'write', path: '/pool/zz.img', data: '', mode: 0o600, exclusive: true });
    const { code, texts, records } = await say(disk, 'adopt');
    expect(code).toBe(7);
    expect(texts.at(-1)).toMatch(/^\S+ +refused {2}/);
    expect(texts.at(-1)).toContain(row);
    expect(records.at(-1)).toMatchObject({ kind: 'Failure', failure: 'refused' });
  });

  it('several alike: exit 3, and the directory is no pool', async () => {
    const disk = await filesOf('v-dirty.img', 'w.img', 'w-cow.img');
    const { code, changes, records } = await changesOf(disk, 'adopt');
    expect([code, changes, records.map(({ kind }) => kind)]).toEqual([3, [], ['Failure', 'Failure']]);
  });

  it('neither with --as saved: what was a guess is said', async () => {
    const disk = await filesOf('s-dirty.img', 'v.img', 'w-dirty.img');
    await link('/pool/v.img', '/pool/s.img')(disk);
    expect((await say(disk, 'adopt --as saved')).code).toBe(0);
    expect((await say(disk, 'list')).names).toEqual(['s', 'v', 'w']);
  });

  it('not what surely is saved: it has revisions', async () => {
    const disk = await filesOf('s-dirty.img', `s.img.1${time}`, 'v.img');
    await link('/pool/v.img', '/pool/s.img')(disk);
    expect((await say(disk, 'adopt')).code).toBe(0);
  });

  it('a sidecar that cannot be read', async () => {
    const disk = await filesOf('v.img');
    await say(disk, 'adopt');
    disk.scribble('/pool/.platter/volumes/v.json', '{');
    const { code, failure } = await say(disk, 'adopt');
    expect([code, failure?.hint]).toEqual([5, 'mv it aside: labels and pins are lost, data is not']);
  });

  it.each(['adopt ../x', 'adopt --keep -1', 'adopt --keep x', 'adopt --as volatile', 'adopt .platter'])(
    '%s: exit 2',
    async (line) => {
      expect((await say(await filesOf('v.img'), line)).code).toBe(2);
    },
  );
});
