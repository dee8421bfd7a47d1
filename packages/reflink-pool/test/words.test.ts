import { describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { changesOf, go, head, poolOf, prepared, work } from './pool-of.ts';
import { say } from './said.ts';

const first = '/pool/v.img.1@2026-11-20T08:00:00Z';
const session = [
  "install -m 0600 /dev/null '/pool/.platter/sessions/v.json~'",
  "mv -T -- '/pool/.platter/sessions/v.json~' /pool/.platter/sessions/v.json",
];
const put = [
  "install -m 0600 /dev/null '/pool/.platter/volumes/v.json~'",
  "mv -T -- '/pool/.platter/volumes/v.json~' /pool/.platter/volumes/v.json",
  'sync -- /pool/.platter/volumes',
];
const clone = (to: string, note: string[] = []) => [
  `cp --reflink=always --preserve=timestamps -- ${head} '${to}~'`,
  `chmod 0600 -- '${to}~'`,
  ...note,
  `sync -- '${to}~'`,
  `mv -T -- '${to}~' ${to}`,
  'sync -- /pool',
];
const commit = ['chmod 0400 -- /pool/v-dirty.img', 'sync -- /pool/v-dirty.img'];
const replace = ['mv -T -- /pool/v-dirty.img /pool/v.img', 'sync -- /pool'];
const made = 'create v --size 512';
const written = [made, 'start v', 'write x'];

describe('the changes of', () => {
  it('a commit: a name for the head, then the rename; no clone, no sidecar', async () => {
    const { changes } = await changesOf(await poolOf(...written), 'stop v');
    expect(changes).toEqual([...commit, `ln -T -- ${head} ${first}`, 'sync -- /pool', ...replace]);
  });

  it('a commit with the history off: no name', async () => {
    const disk = await poolOf('create v --size 512 --policy min=none', 'start v', 'write x');
    expect((await changesOf(disk, 'stop v')).changes).toEqual([...commit, ...replace]);
  });

  it('a commit where the head is named already: no further name', async () => {
    const disk = await poolOf(...written);
    await disk.change({ op: 'link', from: head, to: first });
    expect((await changesOf(disk, 'stop v')).changes).toEqual([...commit, ...replace]);
  });

  it('a commit where it is named only below another state: a further name', async () => {
    const disk = await poolOf(...written, 'stop v', 'revert v@1', 'start v', 'write y');
    const { changes } = await changesOf(disk, 'stop v');
    expect(changes).toContain('ln -T -- /pool/v.img /pool/v.img.3@2026-11-20T08:00:00Z');
  });

  it('a commit with a stale copy made ahead: that goes first', async () => {
    const disk = await poolOf(...written);
    await disk.change({ op: 'copy', from: head, to: prepared, reflink: true });
    const { changes } = await changesOf(disk, 'stop v');
    expect(changes.slice(-3)).toEqual([`rm -f -- ${prepared}`, ...replace]);
  });

  it('a commit of a working copy that outlived a restart: its consistency is noted, nothing is pruned', async () => {
    const disk = await poolOf(
      'create v --size 512 --policy count=1',
      'start v',
      'write x',
      'stop v',
      'start v',
      'write y',
    );
    disk.boot = 'boot-2';
    const { changes, records } = await changesOf(disk, 'stop v');
    expect(changes.slice(0, 5)).toEqual([...commit, ...put]);
    expect(records).toMatchObject([{ outcome: 'committed', unclean: true, pruned: [] }]);
    const { records: after } = await say(disk, 'show v@head');
    expect(after).toMatchObject([{ consistency: 'unclean' }]);
  });

  it('a stop when nothing was written: the copy is kept for the next start', async () => {
    const disk = await poolOf(made, 'start v');
    expect((await changesOf(disk, 'stop v')).changes).toEqual([`mv -T -- ${work} ${prepared}`, 'sync -- /pool']);
  });

  it('the same with a copy made ahead: one of them goes', async () => {
    const disk = await poolOf(made, 'start v');
    await disk.change({ op: 'copy', from: head, to: prepared, reflink: true });
    expect((await changesOf(disk, 'stop v')).changes).toEqual([`rm -f -- ${work}`, 'sync -- /pool']);
  });

  it('a start: a clone, whose inode is noted before it has its name', async () => {
    expect((await changesOf(await poolOf(made), 'start v')).changes).toEqual(clone(work, session));
  });

  it('a start with a copy made ahead: a note, a rename, one flush', async () => {
    const disk = await poolOf(made, 'start v --prepare');
    const { changes, records } = await changesOf(disk, 'start v');
    expect(changes).toEqual([...session, `mv -T -- ${prepared} ${work}`, 'sync -- /pool']);
    expect(records).toMatchObject([{ outcome: 'started', method: 'prepared', path: work }]);
  });

  it('a start with a stale one: that goes, then a clone', async () => {
    const disk = await poolOf(made, 'start v --prepare');
    disk.scribble(prepared, 'old');
    expect((await changesOf(disk, 'start v')).changes).toEqual([`rm -f -- ${prepared}`, ...clone(work, session)]);
  });

  it('a revert: a name for the head, a further name of the target, the rename', async () => {
    const disk = await poolOf(...written, 'stop v');
    expect((await changesOf(disk, 'revert v')).changes).toEqual([
      `ln -T -- ${head} /pool/v.img.2@2026-11-20T08:00:01Z`,
      'sync -- /pool',
      `ln -T -- ${first} '${head}~'`,
      `mv -T -- '${head}~' ${head}`,
      'sync -- /pool',
    ]);
    expect((await changesOf(disk, 'revert v@1')).changes).toEqual([]);
    expect((await changesOf(disk, 'revert v@head')).records).toMatchObject([{ outcome: 'already' }]);
  });

  it('putting aside what was written: it gets the number after the head', async () => {
    const disk = await poolOf(...written);
    const { changes, records } = await changesOf(disk, 'stop v --discard --label broken');
    const aside = `mv -T -- ${work} /pool/v.img.2@2026-11-20T08:00:01Z`;
    expect(changes).toEqual([...commit, `ln -T -- ${head} ${first}`, 'sync -- /pool', ...put, aside, 'sync -- /pool']);
    expect(records).toMatchObject([{ outcome: 'saved', savedAs: 2 }]);
    expect((await say(disk, 'show v@broken')).records).toMatchObject([{ side: true, label: 'broken', number: 2 }]);
  });

  it('a removal: a tombstone first, the sidecar last', async () => {
    const disk = await poolOf(...written, 'stop v');
    const { changes } = await changesOf(disk, 'remove v --confirm=v');
    const files = [first, head].map((path) => `rm -f -- ${path}`);
    const end = ['rm -f -- /pool/.platter/sessions/v.json', 'rm -f -- /pool/.platter/volumes/v.json'];
    expect(changes).toEqual([...put, ...files, 'sync -- /pool', ...end, 'sync -- /pool/.platter/volumes']);
    expect((await changesOf(disk, 'remove v --confirm=v')).records).toMatchObject([{ outcome: 'already' }]);
  });

  it('a removal of the newest revision: its number is noted, and never given again', async () => {
    const disk = await poolOf(...written, 'stop v');
    expect((await changesOf(disk, 'remove v@1 --confirm=v@1')).changes).toEqual([
      ...put,
      `rm -f -- ${first}`,
      'sync -- /pool',
    ]);
    const said = await go(disk, 'start v', 'write y', 'stop v');
    expect(said?.records).toMatchObject([{ savedAs: 2 }]);
  });

  it('any verb that holds the lock: what a crash left of this very volume goes first', async () => {
    const disk = await poolOf(made, 'create v2 --size 512');
    for (const path of ['/pool/v-dirty.img~abcdefgh', '/pool/v2.img~abcdefgh', '/pool/v-import.img'])
      await disk.change({ op: 'write', path, data: '', mode: 0o600, exclusive: true });
    const { changes } = await changesOf(disk, 'stop v');
    expect(changes).toEqual(["rm -f -- '/pool/v-dirty.img~'", 'rm -f -- /pool/v-import.img']);
  });

  it('an interrupted removal: any verb goes on with it', async () => {
    const disk = await poolOf(made);
    disk.killAt(5);
    await expect(say(disk, 'remove v --confirm=v')).rejects.toThrow();
    disk.revive();
    expect((await say(disk, 'start v')).code).toBe(3);
    expect([...disk.names.keys()].filter((path) => /\/v[.-]/.test(path))).toEqual([]);
  });

  it('a snapshot: a link of its source, then a clone of that', async () => {
    const disk = await poolOf(
      made,
      'create s --kind snapshot --source v',
      'create r --kind snapshot --source v --read-only',
    );
    const { changes } = await changesOf(disk, 'start s');
    expect(changes.slice(0, 3)).toEqual([
      'ln -T -- /pool/v.img /pool/s.img',
      'sync -- /pool',
      expect.stringMatching(/^cp /),
    ]);
    expect((await changesOf(disk, 'start r')).changes).toEqual(['ln -T -- /pool/v.img /pool/r.img', 'sync -- /pool']);
    expect((await changesOf(disk, 'start r')).records).toMatchObject([{ outcome: 'already', path: '/pool/r.img' }]);
    expect((await changesOf(disk, 'stop s')).changes).toEqual([
      'rm -f -- /pool/s-dirty.img',
      'rm -f -- /pool/s.img',
      'sync -- /pool',
    ]);
    await go(disk, 'start v', 'write x', 'stop v');
    expect((await say(disk, 'show r')).records).toMatchObject([{ outdated: true }]);
    expect((await changesOf(disk, 'start r')).records).toMatchObject([{ outcome: 'started', method: 'link' }]);
  });

  it('a volume that is not written: nothing at all', async () => {
    const disk = await poolOf('create v --size 512 --read-only');
    const said = await changesOf(disk, 'start v');
    expect([said.changes, said.names]).toEqual([[], [head]]);
    expect((await changesOf(disk, 'stop v')).changes).toEqual([]);
  });
});

/** A guest that has a file open for writing, as /proc shows it. */
function hold(disk: Disk, path: string): void {
  const ino = disk.names.get(path)?.ino;
  disk.facts.set('/proc/locks', `1: OFDLCK ADVISORY  READ -1 00:07:${ino} 100 101\n`);
  disk.facts.set('/proc/self/mountinfo', '36 35 0:7 / /pool rw - xfs none rw\n');
}

type Row = [what: string, history: string[], line: string, code: number, message: RegExp, touch?: (disk: Disk) => void];
const aside = (path: string) => (disk: Disk) => void disk.names.set(path, disk.names.get(work) as never);
const reboot = (disk: Disk) => {
  disk.boot = 'boot-2';
};
const rows: Row[] = [
  ['a bad name', [], 'start a..b/', 3, /no saved volume/],
  ['an absolute name', [], 'start /v', 2, /not a volume name/],
  ['a reserved end', [], 'create v-dirty --size 512', 2, /-dirty/],
  ['a size that is no sector', [], 'create v --size 1000', 2, /multiple of 512/],
  ['no size', [], 'create v', 2, /needs --size/],
  ['a size with a fraction', [], 'create v --size 1.5G', 2, /not a size/],
  ['a snapshot without source', [], 'create v --kind snapshot', 2, /--source/],
  ['a volatile volume that is not written', [], 'create v --kind volatile --size 512 --read-only', 2, /volatile/],
  ['an unknown policy key', [], 'create v --size 512 --policy dayly=1', 2, /dayly/],
  ['a label without a discard', [made], 'stop v --label x', 2, /--discard/],
  ['a discard while preparing', [made], 'start v --prepare --on-dirty discard', 2, /exclude/],
  ['sharing and copying', [made], 'import v f --share --copy', 2, /exclude/],
  ['two ways to import', [made], 'import v f --abort x', 2, /one of/],
  ['revision zero', [made], 'revert v@0', 2, /not a revision/],
  ['an alignment that is no power of two', [made], 'diff v v@1 --align 3K', 2, /power of two/],
  ['exact and too fine', [made], 'diff v v@1 --align 512 --exact', 2, /4Ki/],
  ['a volume that is there', [made], 'create v --size 512', 3, /there already/],
  [
    'a stray file of the family',
    [],
    'create v --size 512',
    3,
    /there already/,
    (disk) => void disk.names.set(prepared, disk.names.get('/pool') as never),
  ],
  ['an unknown volume', [made], 'stop w', 3, /no volume w/],
  ['an unknown revision', [made], 'revert v@7', 3, /no revision v@7/],
  ['no former state', [made], 'revert v', 3, /no former state/],
  ['a source that is not there', [made], 'create s --kind snapshot --source w', 3, /no volume w/],
  [
    'a source that is a snapshot',
    [made, 'create s --kind snapshot --source v'],
    'create t --kind snapshot --source s',
    3,
    /only a saved volume/,
  ],
  ['what is started', written, 'revert v@1', 3, /no revision|is started/],
  ['importing into what is started', written, 'import v -', 3, /is started/],
  ['throwing away unasked', written, 'stop v --discard', 3, /throw away/],
  [
    'a label that is taken',
    [...written, 'stop v --discard --label l', 'start v', 'write y'],
    'stop v --discard --label l',
    3,
    /labelled l/,
  ],
  ['removing without the name', [made], 'remove v', 3, /said again/],
  ['removing the head', [made], 'remove v@head --confirm=v@head', 3, /the head/],
  ['removing a source', [made, 'create s --kind snapshot --source v'], 'remove v --confirm=v', 3, /source of other/],
  ['preparing what is started', written, 'start v --prepare', 3, /only a stopped/],
  ['too little space', [made], 'start v --reserve 2T', 3, /too little space/],
  ['a working copy with two names, stopped', written, 'stop v', 3, /more than one name/, aside('/pool/other')],
  [
    'a working copy with two names, started after a restart',
    written,
    'start v',
    3,
    /more than one name/,
    (disk) => [aside('/pool/other')(disk), reboot(disk)],
  ],
  ['an unclean copy with refuse', written, 'start v --on-dirty refuse', 3, /not stopped/, reboot],
  ['an unclean copy with discard', written, 'start v --on-dirty discard', 3, /not stopped/, reboot],
  ['a broken volume', [...written, 'stop v'], 'start v', 3, /no head/, (disk) => void disk.names.delete(head)],
  [
    'a directory at the working copy',
    [made],
    'start v',
    3,
    /not a regular file/,
    (disk) => void disk.names.set(work, disk.names.get('/pool') as never),
  ],
  ['stopping what is in use', written, 'stop v', 4, /in use/, (disk) => hold(disk, work)],
  ['reverting what is in use', written, 'revert v@1 --discard --confirm=v', 3, /no revision/],
  ['removing what is in use', written, 'remove v --confirm=v', 4, /in use/, (disk) => hold(disk, work)],
  ['importing into what is in use', written, 'import v -', 4, /in use/, (disk) => hold(disk, work)],
  ['starting during an import', [made, 'import v --begin --size 512'], 'start v', 4, /an import into it is open/],
  ['reverting during an import', [...written, 'stop v', 'import v --begin --size 512'], 'revert v', 4, /import/],
  ['a second import', [made, 'import v --begin --size 512'], 'import v --begin --size 512', 4, /another import/],
  ['an unknown token', [made], 'import v --commit abc', 3, /no import abc/],
  [
    'a sidecar that is none',
    [made],
    'start v',
    5,
    /not a volume's sidecar/,
    (disk) => disk.scribble('/pool/.platter/volumes/v.json', '{'),
  ],
  [
    'a pool file that is none',
    [made],
    'list',
    5,
    /not a pool file/,
    (disk) => disk.scribble('/pool/.platter/pool.json', '{'),
  ],
  ['a newer pool', [made], 'list', 6, /format 2/, (disk) => disk.scribble('/pool/.platter/pool.json', '{"format":2}')],
  ['a qcow2 on stdin', [made], 'import v -', 3, /qcow2/],
  ['an import that is too short', [made], 'import v - --size 1024', 5, /too short/],
  ['an import that is too long', [made], 'import v - --size 512', 5, /too long/],
  ['a wrong digest', [made], `import v - --sha256 ${'0'.repeat(64)}`, 5, /digest/],
  ['a stream that is no sector', [made], 'import v -', 3, /whole number of sectors/],
];
const stdin: Record<string, string | Uint8Array> = {
  'a qcow2 on stdin': Buffer.from('QFI\u00fb'.padEnd(1024, '\0'), 'latin1'),
  'an import that is too long': 'a'.repeat(1024),
  'a stream that is no sector': 'a'.repeat(100),
};

describe('is refused:', () => {
  it.each(rows)('%s', async (what, history, line, code, message, touch) => {
    const disk = await poolOf(...history);
    touch?.(disk);
    const before = new Map(disk.names);
    const said = await changesOf(disk, line, { stdin: stdin[what] ?? '0'.repeat(512) });
    expect(said.failure?.message ?? '').toMatch(code === 2 ? /.*/ : message);
    expect(said.code).toBe(code);
    if (code !== 5 && !line.includes(' -')) expect(said.changes).toEqual([]);
    expect(new Map(disk.names)).toEqual(before);
  });

  it('a directory that is no pool, with what to do', async () => {
    const disk = await poolOf();
    disk.names.delete('/pool/.platter/pool.json');
    const said = await say(disk, 'list');
    expect([said.code, said.failure?.hint]).toEqual([3, 'reflink-pool init --pool /pool']);
    await disk.change({ op: 'write', path: '/pool/x.img', data: '', mode: 0o400, exclusive: true });
    expect((await say(disk, 'list')).failure?.message).toContain('holds images (x)');
    expect((await say(disk, 'init')).code).toBe(3);
  });

  it('a file system that cannot share extents, unless a copy will do', async () => {
    const { Failure } = await import('@platter/host/failure');
    const disk = await poolOf();
    disk.names.delete('/pool/.platter/pool.json');
    const door = disk.change.bind(disk);
    disk.change = async (change) => {
      if (change.op !== 'copy' || !change.reflink) return door(change);
      throw new Failure('unsupported', 'no', { details: { because: 'cp: Operation not supported' } });
    };
    const said = await say(disk, 'init');
    expect([said.code, said.failure?.details.probed]).toEqual([6, 'cp: Operation not supported']);
    expect((await say(disk, 'init --allow-copy')).records).toMatchObject([{ backend: 'copy', outcome: 'created' }]);
    expect([...disk.names.keys()].filter((path) => path.includes('~'))).toEqual([]);
  });

  it('an error of cp that is not "not supported": never a copy', async () => {
    const { Failure } = await import('@platter/host/failure');
    const disk = await poolOf(made);
    const door = disk.change.bind(disk);
    disk.change = async (change) => {
      if (change.op !== 'copy') return door(change);
      throw new Failure('failed', 'cp failed with exit 1', { details: { said: 'Input/output error' } });
    };
    const said = await changesOf(disk, 'start v');
    expect([said.code, said.changes.filter((one) => !one.startsWith('rm '))]).toEqual([1, []]);
  });
});

describe('several volumes', () => {
  it('are all tried; failures that are alike keep their code, others are partial', async () => {
    const disk = await poolOf('create a/x --size 512', 'create a/y --size 512', 'create b --size 512');
    expect((await say(disk, 'start nope nix')).code).toBe(3);
    const said = await say(disk, 'start a/ nope');
    expect([said.code, said.names]).toEqual([7, ['/pool/a/x-dirty.img', '/pool/a/y-dirty.img']]);
    expect((await say(disk, 'stop -', { stdin: JSON.stringify({ kind: 'Session', volume: 'a/x' }) })).names).toEqual([
      'a/x',
    ]);
  });
});

describe('without its sidecars', () => {
  it('every image is still listed and nothing is pruned', async () => {
    const disk = await poolOf(...written, 'stop v', 'start v', 'write y', 'stop v', 'start v');
    for (const path of [...disk.names.keys()]) if (/volumes\/|sessions\//.test(path)) disk.names.delete(path);
    expect((await say(disk, 'list')).records).toMatchObject([
      { state: 'unclean', revisions: 1, policy: 'min=all', uuid: null },
    ]);
    const said = await go(disk, 'stop v');
    expect(said?.records).toMatchObject([{ outcome: 'committed', pruned: [], unclean: true }]);
    expect((await say(disk, 'list --revisions')).records).toHaveLength(2);
  });
});

it('looks nowhere but in the pool, whatever a sidecar is called', async () => {
  const disk = await poolOf('create v --size 512');
  const data = JSON.stringify({
    ...JSON.parse(disk.content('/pool/.platter/volumes/v.json') ?? ''),
    volumeKind: 'volatile',
  });
  for (const name of ['..%2Foutside.json', 'a.img.json', 'fine.json'])
    await disk.change({ op: 'write', path: `/pool/.platter/volumes/${name}`, data, mode: 0o600, exclusive: true });
  expect((await say(disk, 'list')).names).toEqual(['fine', 'v']);
});

it('takes a volume whose removal was begun for gone: nothing is cloned from it, nor shown', async () => {
  const disk = await poolOf('create v --size 512');
  const sidecar = '/pool/.platter/volumes/v.json';
  disk.scribble(sidecar, (disk.content(sidecar) ?? '').replace('"removing":false', '"removing":true'));
  for (const line of ['clone v w', 'show v', 'create ci --kind snapshot --source v'])
    expect([line, (await changesOf(disk, line)).failure?.message]).toEqual([line, 'there is no volume v']);
  expect((await say(disk, 'list')).names).toEqual([]);
});
