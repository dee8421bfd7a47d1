import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { done, type Ran, tool } from '../test/tool.ts';
import {
  brokenExt4,
  cleanBtrfs,
  cleanXfs,
  dirtyExt4,
  dirtyXfs,
  luks,
  partitioned,
  physicalVolume,
} from './filesystems.ts';
import { Bench, dataFile, flip, forge } from './repository.ts';

const bench = new Bench();
const root = join(bench.folder, 'guests');
const scratch = join(bench.folder, 'scratch');
const image = (name: string): string => join(bench.folder, `${name}.img`);

beforeAll(async () => {
  await bench.make();
  mkdirSync(scratch);
});
afterAll(() => bench.dispose());

interface Receipt {
  result: string;
  equal: boolean;
  content: { recorded: string; found: string | null };
  filesystems: { offset: number; type: string; result: string; rc: number | null }[];
  previous: string | null;
  failure: string | null;
}

const drill = (words: readonly string[], repo = bench.good): Promise<Ran> =>
  tool(['drill', '--repo', repo, '--into', scratch, ...words]);
const receiptOf = ({ records }: Ran): Receipt => records[0] as unknown as Receipt;
const folder = (repo: string, vm = 'db'): string => join(repo, 'vms/default', vm, 'receipts');
const filesIn = (repo: string, vm?: string): string[] =>
  existsSync(folder(repo, vm)) ? readdirSync(folder(repo, vm)).map((name) => join(folder(repo, vm), name)) : [];
const left = (): string[] => readdirSync(scratch);

const [mebibyte, latest] = [2 ** 20, 'default/db/data@latest'];

needs(
  'root',
  'loop',
  'ext4',
  'xfs',
  'btrfs',
  'sfdisk',
)('filesystems of a guest', () => {
  const guests = ['ext', 'xfs', 'xfsdirty', 'btrfs', 'broken', 'gpt', 'mbr', 'luks', 'lvm', 'nothing'];

  beforeAll(async () => {
    await dirtyExt4(image('ext'));
    await dirtyXfs(image('xfsdirty'));
    cleanXfs(image('xfs'));
    cleanBtrfs(image('btrfs'));
    brokenExt4(image('broken'));
    const small = 'label: gpt\nstart=2048,size=32768\nsize=8192\nsize=614400\n';
    partitioned(image('gpt'), small, [
      [1, image('ext')],
      [21, image('xfs')],
    ]);
    const logical = 'label: dos\nstart=63,size=32768\nstart=40960,type=5\nstart=43008,size=614400\n';
    partitioned(image('mbr'), logical, [[21, image('xfsdirty')]]);
    luks(image('luks'));
    physicalVolume(image('lvm'));
    writeFileSync(image('nothing'), new Uint8Array(mebibyte).fill(7));
    mkdirSync(root);
    await done(['init', '--repo', root]);
    const words = guests.map((name) => `${name}=${image(name)}`);
    await done(['capture', '--repo', root, '--vm', 'guests', ...words, '--format', 'raw']);
  });

  const expected = [
    ['ext', [{ offset: 0, type: 'ext4', result: 'ok' }], 0],
    ['xfs', [{ offset: 0, type: 'xfs', result: 'ok', rc: 0 }], 0],
    ['xfsdirty', [{ offset: 0, type: 'xfs', result: 'inconclusive' }], 0],
    ['btrfs', [{ offset: 0, type: 'btrfs', result: 'ok', rc: 0 }], 0],
    ['broken', [{ offset: 0, type: 'ext4', result: 'bad' }], 5],
    [
      'gpt',
      [
        { offset: mebibyte, type: 'ext4', result: 'ok' },
        { offset: 21 * mebibyte, type: 'xfs', result: 'ok' },
      ],
      0,
    ],
    ['mbr', [{ offset: 21 * mebibyte, type: 'xfs', result: 'inconclusive' }], 0],
    ['luks', [{ offset: 0, type: 'crypto_LUKS', result: 'not-checked', rc: null }], 0],
    ['lvm', [{ offset: 0, type: 'LVM2_member', result: 'not-checked', rc: null }], 0],
    ['nothing', [], 0],
  ] as const;

  for (const via of ['scratch', 'overlay'] as const)
    needs(...(via === 'overlay' ? (['fuse', 'qemu-storage-daemon'] as const) : []))(`seen via ${via}`, () => {
      it.each(expected)('%s', async (name, filesystems, code) => {
        const ran = await drill([`default/guests/${name}@latest`, '--via', via], root);
        expect(receiptOf(ran)).toMatchObject({ equal: true, filesystems, result: code === 0 ? 'ok' : 'failed', via });
        expect([ran.code, ran.misfits]).toEqual([code, []]);
        expect(left()).toEqual([]);
      });
    });

  it('a required filesystem is one that is proven: anything else is 5, with a receipt', async () => {
    for (const [name, code] of [
      ['ext', 0],
      ['xfsdirty', 5],
      ['luks', 5],
      ['nothing', 5],
    ] as const) {
      const ran = await drill([`default/guests/${name}@latest`, '--fsck', 'require'], root);
      expect([name, ran.code, receiptOf(ran).result]).toEqual([name, code, code === 0 ? 'ok' : 'failed']);
    }
    const none = await drill(['default/guests/broken@latest', '--fsck', 'none'], root);
    expect([none.code, receiptOf(none).filesystems]).toEqual([0, []]);
  });

  needs('fuse', 'qemu-storage-daemon')('a run that was killed', () => {
    it('while its overlay was shown is swept, also by another name of the folder', async () => {
      const [f, link] = [bench.copy(), join(bench.folder, 'link')];
      symlinkSync(scratch, link);
      const overlay = ['--via', 'overlay', '--into', link];
      for (let at = 3; at < 7; at += 1) {
        const argv = ['backup-chain', 'drill', 'default/guests/ext@latest', '--repo', root, ...overlay];
        const { signal } = await run(argv, { env: { PLATTER_FAULT: `kill@${at}` } });
        expect([at, signal, left().length]).toEqual([at, 'SIGKILL', 1]);
        const ran = await drill([latest, ...overlay], f.root);
        expect([ran.failure, left()]).toEqual([null, []]);
      }
    });
  });

  it('of a set: every disk is drilled; as some fail and some do not it is 7', async () => {
    const ran = await drill(['default/guests@latest'], root);
    expect([ran.code, ran.misfits]).toEqual([7, []]);
    expect(ran.records.filter(({ kind }) => kind === 'Drill')).toHaveLength(guests.length);
    const [set] = (await done(['list', 'default/guests', '--repo', root])).records;
    expect(set?.lastDrill).toMatchObject({ result: 'failed' });
  });
});

describe('a receipt', () => {
  it('is what was seen, in its place and on stdout; each follows the one before', async () => {
    const f = bench.copy();
    const file = join(bench.folder, 'receipt.json');
    for (const words of [
      ['--via', 'scratch'],
      ['--via', 'read'],
      ['--receipt', file],
    ])
      expect((await drill([latest, ...words], f.root)).code).toBe(0);
    const receipts = filesIn(f.root).map((path) => JSON.parse(readFileSync(path, 'utf8')) as Receipt);
    expect(receipts.map(({ result, equal }) => [result, equal])).toEqual(Array(3).fill(['ok', true]));
    expect(new Set(receipts.map(({ previous }) => previous)).size).toBe(3);
    expect(receipts[0]?.previous).toBeNull();
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(filesIn(f.root)[2] as string, 'utf8'));
    expect((await drill([latest, '--receipt', file], f.root)).code).toBe(3);
    expect((await done(['validate', '--repo', f.root])).code).toBe(0);
    const { records, text } = await done(['show', 'default/db@latest', '--repo', f.root]);
    expect(records[0]?.lastDrill).toMatchObject({ result: 'ok' });
    expect(text.filter((line) => line.startsWith('  drill  '))).toHaveLength(3);
  });

  it.each([
    ['changed', (path: string) => flip(path, 300)],
    ['changed and sealed again', (path: string) => forge(path, (one) => Object.assign(one, { host: 'elsewhere' }))],
    ['under another name', (path: string) => writeFileSync(path.replace('Z-', 'Z-x'), readFileSync(path))],
  ])('that is %s is noticed', async (_, spoil) => {
    const f = bench.copy();
    for (const words of [[], ['--via', 'read']]) await drill([latest, ...words], f.root);
    expect((await tool(['list', '--repo', f.root])).code).toBe(0);
    spoil(filesIn(f.root)[0] as string);
    expect((await tool(['list', '--repo', f.root])).code).toBe(7);
    expect((await tool(['validate', '--level', 'meta', '--repo', f.root])).code).toBe(5);
    expect((await drill([latest], f.root)).code).toBe(0);
  });

  it('is written of a point that failed: data that rots, tables that do', async () => {
    // Data begins in the third cluster; the eleventh of it, guest cluster 20, is in no increment.
    const [shown, table] = [12 * 65_536 + 5, 65_536 + 3];
    for (const [at, via] of [
      [shown, 'scratch'],
      [shown, 'read'],
      [table, 'scratch'],
    ] as const) {
      const f = bench.copy();
      flip(dataFile(f, 0), at);
      const ran = await drill([latest, '--via', via], f.root);
      expect([ran.code, ran.misfits]).toEqual([5, []]);
      expect(receiptOf(ran)).toMatchObject({ result: 'failed', equal: false, content: { found: null } });
      expect(receiptOf(ran).failure).toContain('.qcow2');
      expect(filesIn(f.root)).toHaveLength(1);
      expect(left()).toEqual([]);
    }
  });

  it('of loose files goes nowhere but where it is told', async () => {
    const f = bench.copy();
    const files = f.ids.map((_, n) => dataFile(f, n));
    const ran = await tool(['drill', '--files', ...files, '--into', scratch]);
    expect([ran.code, ran.misfits]).toEqual([0, []]);
    expect(receiptOf(ran)).toMatchObject({ equal: null, result: 'ok', repo: null, filesystems: [] });
    expect((await tool(['drill', '--files', ...files, '--via', 'overlay'])).code).toBe(2);
  });
});

describe('which points', () => {
  const pointOf = ({ records }: Ran): unknown => records.map(({ point }) => point);

  it('the stalest: each in its turn, the oldest first', async () => {
    const f = bench.copy();
    const seen: unknown[] = [];
    for (const words of [[], ['--pick', 'stalest'], ['--count', '2']])
      seen.push(pointOf(await drill([...words, '--via', 'read'], f.root)));
    expect(seen).toEqual([[f.ids[0]], [f.ids[1]], [f.ids[2], f.ids[3]]]);
    expect(pointOf(await drill(['--pick', 'newest', '--via', 'read'], f.root))).toEqual([f.ids[3]]);
    expect(pointOf(await drill(['--pick', 'oldest', '--via', 'read'], f.root))).toEqual([f.ids[0]]);
  });

  it('what is said wrong is 2, what cannot be is 3', async () => {
    const empty = join(bench.folder, 'empty');
    mkdirSync(empty);
    await done(['init', '--repo', empty]);
    expect((await drill([], empty)).code).toBe(3);
    expect((await drill([latest, '--into', join(bench.folder, 'nowhere')])).code).toBe(3);
    for (const words of [
      [latest, '--pick', 'newest'],
      [latest, '--via', 'read', '--fsck', 'require'],
      ['--count', '0'],
      ['--count', '2', '--receipt', image('r')],
    ])
      expect((await drill(words)).code, words.join(' ')).toBe(2);
  });

  it('a dry run shows the restore and changes nothing', async () => {
    const f = bench.copy();
    const { steps, code } = await drill([latest, '-n'], f.root);
    expect(code).toBe(0);
    expect(steps[0]).toMatch(/^mkdir -m 0700 -- .*\/\.drill-/);
    expect(steps.find((line) => line.includes('qemu-img convert -n'))).toContain('disk.raw');
    expect([filesIn(f.root), left()]).toEqual([[], []]);
  });
});

describe('what is in the way', () => {
  it('somebody who purges: 4, and no receipt', async () => {
    const f = bench.copy();
    const lock = await local().query({ op: 'lock', path: join(f.root, 'vms/default/db/use') });
    try {
      expect((await drill([latest], f.root)).code).toBe(4);
      expect((await tool(['serve', latest, '--repo', f.root, '--socket', join(bench.folder, 's')])).code).toBe(4);
    } finally {
      lock.release();
    }
    expect(filesIn(f.root)).toEqual([]);
  });

  it('no program for it: 6, with the package that brings it; what is native goes on', async () => {
    const f = bench.copy();
    const path = join(bench.folder, 'few-programs');
    mkdirSync(path);
    for (const name of ['setpriv', 'flock', 'sleep'])
      symlinkSync(execFileSync('which', [name]).toString().trim(), join(path, name));
    const say = (...words: string[]) => run(['backup-chain', ...words, '--repo', f.root], { env: { PATH: path } });
    const served = await say('serve', latest, '--socket', join(bench.folder, 's'));
    expect([served.code, served.stderr]).toEqual([6, expect.stringContaining('qemu-system-common')]);
    const fsck = ['--fsck', 'none', '--into', scratch];
    expect((await say('drill', latest, ...fsck)).code).toBe(0);
    expect((await say('drill', latest, '--via', 'read')).code).toBe(0);
  });

  it('no room for the disk: 3, before anything is made', async () => {
    await using ground = await mounted('ext4', 2 * mebibyte);
    const ran = await drill([latest, '--into', ground.path]);
    expect([ran.code, ran.failure?.message]).toEqual([3, expect.stringContaining('not enough space')]);
    expect(readdirSync(ground.path)).toEqual(['lost+found']);
  });
});

needs(
  'root',
  'fuse',
  'qemu-storage-daemon',
  'strace',
)('what a drill touches', () => {
  const vias = ['scratch', 'overlay', 'read'] as const;
  const published = async (repo: string) =>
    Object.entries(await tree(repo)).filter(([path]) => !path.includes('receipts'));

  it.each(vias)('via %s: the repository only for reading, but for the receipt; nobody is spoken to', async (via) => {
    const f = bench.copy();
    const before = await published(f.root);
    const argv = ['backup-chain', 'drill', latest, '--repo', f.root, '--into', scratch, '--via', via];
    const { calls, code } = await strace(argv, { trace: 'openat,connect' });
    expect(code).toBe(0);
    const writing = calls.filter((call) => call.includes(f.root) && /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(call));
    expect(writing.length).toBeGreaterThan(0);
    expect(writing.filter((call) => !call.includes('/receipts/'))).toEqual([]);
    expect(calls.filter((call) => call.startsWith('connect('))).toEqual([]);
    expect(await published(f.root)).toEqual(before);
  });

  it.each(vias.slice(0, 2))('via %s: a signal takes everything away that was made', async (via) => {
    const f = bench.copy();
    const argv = ['backup-chain', 'drill', latest, '--repo', f.root, '--into', scratch, '--via', via];
    for (const at of [3, 4, 5]) {
      const { signal } = await run(argv, { env: { PLATTER_FAULT: `int@${at}` } });
      expect([at, signal, left()]).toEqual([at, 'SIGINT', []]);
    }
    expect(filesIn(f.root)).toEqual([]);
  });

  it('sweeps the scratch folders of killed runs, and no others', async () => {
    const f = bench.copy();
    const argv = ['backup-chain', 'drill', latest, '--repo', f.root, '--into', scratch];
    const killed = await run(argv, { env: { PLATTER_FAULT: 'kill@6' } });
    expect(killed.signal).toBe('SIGKILL');
    expect(left()).toHaveLength(1);
    const foreign = [`.drill-${f.ids[0]}-00000000`, `.drill-${f.ids[0]}-tmp`];
    for (const name of foreign) mkdirSync(join(scratch, name));
    writeFileSync(join(scratch, foreign[0] as string, 'precious'), '');
    const ran = await drill([latest], f.root);
    expect([ran.code, ran.notes.join()]).toEqual([0, expect.stringContaining('precious')]);
    expect(left()).toEqual(foreign);
  });
});

needs('root', 'loop')('a repository that cannot be written', () => {
  it('is drilled all the same: the receipt is told and not kept, which is said', async () => {
    const f = bench.copy();
    await succeed(['mount', '--bind', f.root, f.root]);
    await succeed(['mount', '-o', 'remount,ro,bind', f.root]);
    try {
      const ran = await drill([latest], f.root);
      expect([ran.code, receiptOf(ran).result]).toEqual([0, 'ok']);
      expect(ran.notes.join('\n')).toContain('cannot be written');
    } finally {
      await succeed(['umount', f.root]);
    }
    expect(filesIn(f.root)).toEqual([]);
  });
});
