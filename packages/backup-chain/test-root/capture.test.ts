import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-capture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let number = 0;
const next = (): number => {
  number += 1;
  return number;
};

async function repository(): Promise<{
  root: string;
  image: string;
  capture: (...more: string[]) => ReturnType<typeof tool>;
}> {
  const dir = join(folder, String(next()));
  const root = join(dir, 'repo');
  mkdirSync(root, { recursive: true });
  await done(['init', '--repo', root]);
  const image = join(dir, 'disk.raw');
  const capture = (...more: string[]) =>
    tool(['capture', '--repo', root, '--vm', 'db', `data=${image}`, '--format', 'raw', ...more]);
  return { root, image, capture };
}

const disks = (root: string): string => join(root, 'vms/default/db/disks/data');
const ids = (root: string): string[] =>
  readdirSync(join(disks(root), 'points'))
    .sort()
    .map((name) => name.slice(7, -5));
const goal = (): string => join(folder, `restored-${next()}`);

async function restored(root: string, id: string, ...more: string[]): Promise<Buffer> {
  const to = goal();
  await done(['restore', `default/db/data@${id}`, '--repo', root, '--file', '--to', to, '--verify', 'full', ...more]);
  const bytes = readFileSync(to);
  rmSync(to);
  return bytes;
}

const step = fc.record({
  write: fc.array(fc.nat(40), { maxLength: 6 }),
  zero: fc.array(fc.nat(40), { maxLength: 4 }),
  size: fc.option(fc.integer({ min: 1, max: 40 * 128 + 9 }), { freq: 3 }),
});

describe('capture', () => {
  it('every point of a random history restores exactly, by both engines and loosely; no false alarm', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        const { root, image, capture } = await repository();
        const disk = new Disk(24 * cluster);
        const states = new Map<string, Uint8Array>();
        for (const { write, zero, size } of steps) {
          if (size !== null) disk.resize(size * 512);
          disk
            .write(...write)
            .zero(...zero)
            .save(image);
          const { failure } = await capture();
          expect(failure).toBeNull();
          states.set(ids(root).at(-1) ?? '', disk.bytes.slice());
        }
        expect((await tool(['validate', '--repo', root, '--level', 'fast'])).code).toBe(0);
        for (const [id, bytes] of states) expect((await restored(root, id)).equals(bytes)).toBe(true);
        const last = [...states.keys()].at(-1) ?? '';
        expect((await restored(root, last, '--engine', 'qemu')).equals(states.get(last) as Uint8Array)).toBe(true);
        rmSync(root, { recursive: true });
      }),
      { numRuns: Number(process.env.PLATTER_ROUNDS ?? 12) },
    );
  }, 300_000);

  it('an unchanged disk makes a set and no point; a changed one a point after it', async () => {
    const { root, image, capture } = await repository();
    const disk = new Disk(20 * cluster).write(1, 2, 3).save(image);
    await capture();
    const second = await capture();
    expect(second.records).toMatchObject([
      { kind: 'BackupPoint', outcome: 'unchanged' },
      { kind: 'BackupSet', members: [{ point: ids(root)[0] }] },
    ]);
    disk.zero(2).save(image);
    const third = await capture();
    expect(third.records[0]).toMatchObject({
      outcome: 'created',
      type: 'incremental',
      sequence: 2,
      links: 2,
      data: { dataClusters: 0, zeroClusters: 1 },
    });
    expect((await tool(['list', '--repo', root])).records).toHaveLength(3);
  });

  it('published files are read-only, and the digest is that of disk-tools', async () => {
    const { root, image, capture } = await repository();
    new Disk(20 * cluster).write(1, 2, 3).save(image);
    const { records } = await capture();
    for (const name of readdirSync(join(disks(root), 'data')))
      expect(execFileSync('stat', ['-c', '%a', join(disks(root), 'data', name)]).toString()).toBe('444\n');
    const { contentDigest } = await import('@platter/qcow2/digest');
    const bytes = readFileSync(image);
    const guest = {
      size: bytes.length,
      read: async (at: number, length: number) => bytes.subarray(at, at + length),
      extents: async function* () {
        yield { at: 0, length: bytes.length, kind: 'data' as const, host: 0, hostLength: bytes.length };
      },
    };
    expect(records[0]).toMatchObject({ contentSha256: await contentDigest(guest) });
  });

  it('--max-chain and --full start a new chain; the old one stays whole', async () => {
    const { root, image, capture } = await repository();
    const disk = new Disk(20 * cluster).write(1);
    const made: unknown[] = [];
    for (const flags of [[], [], ['--max-chain', '2'], ['--full'], []]) {
      disk.write(2).save(image);
      made.push((await capture(...flags)).records[0]);
    }
    expect(made).toMatchObject([
      { type: 'full', capture: { fullReason: 'first' } },
      { type: 'incremental' },
      { type: 'full', capture: { fullReason: 'max-chain' } },
      { type: 'full', capture: { fullReason: 'forced' } },
      { type: 'incremental', links: 2 },
    ]);
    expect((await tool(['validate', '--repo', root, '--level', 'deep'])).code).toBe(0);
  });

  it('by a list of changes reads only those, and notices a wrong list', async () => {
    await using ground = await mounted('xfs', 400 * 2 ** 20);
    const root = join(ground.path, 'repo');
    mkdirSync(root);
    await done(['init', '--repo', root]);
    const [one, two] = [join(ground.path, 'one'), join(ground.path, 'two')];
    const disk = new Disk(600 * cluster).write(...Array.from({ length: 400 }, (_, n) => n)).save(one);
    const capture = (path: string, ...more: string[]) =>
      tool(['capture', '--repo', root, '--vm', 'db', `data=${path}`, '--format', 'raw', ...more]);
    await capture(one);
    execFileSync('cp', ['--reflink=always', one, two]);
    disk.write(7, 300);
    for (const n of [7, 300])
      execFileSync('dd', [`of=${two}`, 'bs=64K', 'count=1', `seek=${n}`, 'conv=notrunc', 'status=none'], {
        input: disk.bytes.subarray(n * cluster, (n + 1) * cluster),
      });
    execFileSync('fallocate', ['-p', '-o', String(20 * cluster), '-l', String(2 * cluster), two]);
    disk.zero(20, 21);
    const { records, failure } = await capture(two, '--against', `data=${one}`, '--engine', 'fiemap');
    expect(failure).toBeNull();
    expect(records[0]).toMatchObject({
      capture: { engine: 'fiemap' },
      data: { dataClusters: 2, zeroClusters: 2 },
      bytesRead: (2 + 64) * cluster,
    });
    expect((await restored(root, ids(root).at(-1) ?? '')).equals(disk.bytes)).toBe(true);
    const stat = execFileSync('stat', ['-c', '%i', two]).toString().trim();
    const source = (records[0] as { capture: { source: Record<string, unknown> } }).capture.source;
    expect(source.ino).toBe(stat);
    const everything = Array.from({ length: 600 }, (_, n) => n);
    new Disk(600 * cluster).write(...everything).save(one);
    new Disk(600 * cluster)
      .write(...everything)
      .write(...everything)
      .save(two);
    const fresh = await capture(two);
    expect(fresh.code).toBe(0);
    const now = (fresh.records[0] as { capture: { source: Record<string, unknown> } }).capture.source;
    writeFileSync(two, readFileSync(one));
    const held = await local().query({ op: 'stat', path: two, follow: true });
    const identity = {
      ino: String(held?.ino),
      birthNs: String(held?.birthNs),
      mtimeNs: String(held?.mtimeNs),
      size: held?.size,
    };
    const lie = {
      kind: 'DiskDiff',
      from: { ...now, ref: 'data@1' },
      to: { ...identity, path: two, ref: 'data@2' },
      format: 'raw',
      ranges: [],
      zeros: [],
      complete: true,
    };
    const wrong = await tool(['capture', '-', '--repo', root, '--vm', 'db', `data=${two}`], {
      stdin: JSON.stringify(lie),
    });
    expect(wrong.code).toBe(5);
    expect(wrong.failure?.message).toBe('the change list is not of this disk');
    expect(readdirSync(join(disks(root), 'data')).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
  });

  it('refuses before it changes anything', async () => {
    const { root, image } = await repository();
    const before = readdirSync(root, { recursive: true }).length;
    const say = async (...words: string[]) => (await tool(['capture', '--repo', root, '--vm', 'db', ...words])).code;
    new Disk(2 * cluster).write(1).save(image);
    expect(await say(`data=${image}`)).toBe(3);
    expect(await say('data=/nonexistent')).toBe(3);
    expect(await say(`data=${image}`, '--format', 'qcow2')).toBe(3);
    expect(await say(`data=${image}`, '--format', 'raw', '--engine', 'fiemap')).toBe(3);
    expect(await say(`DATA=${image}`, '--format', 'raw')).toBe(2);
    expect(await say(`data=${image}`, '--format', 'vmdk')).toBe(2);
    expect(await say(`data=${folder}`, '--format', 'raw')).toBe(3);
    truncateSync(image, 1000);
    expect(await say(`data=${image}`, '--format', 'raw')).toBe(3);
    for (const backing of ['/etc/passwd', 'json:{"driver":"raw"}', 'nbd://127.0.0.1:1/x']) {
      execFileSync('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', backing, '-F', 'raw', image, '1M']);
      expect(await say(`data=${image}`)).toBe(3);
    }
    expect(readdirSync(root, { recursive: true })).toHaveLength(before);
    expect((await tool(['capture', '--repo', folder, '--vm', 'db', `data=${image}`])).code).toBe(3);
  });

  it('a qcow2 source is captured by what its guest sees, whatever its clusters', async () => {
    const { root } = await repository();
    const image = join(folder, 'source.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', image, '3M']);
    execFileSync(
      'qemu-io',
      ['-f', 'qcow2', '-c', 'write -P 0x31 10k 100k', '-c', 'write -z 20k 64k', '-c', 'write -P 0x32 2M 70k', image],
      { stdio: 'pipe' },
    );
    await done(['capture', '--repo', root, '--vm', 'db', `data=${image}`]);
    const raw = join(folder, 'source.raw');
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, raw]);
    expect((await restored(root, 'latest')).equals(readFileSync(raw))).toBe(true);
  });

  it('a second writer is told who holds the lock; a dry run changes nothing and says what it would', async () => {
    const { root, image, capture } = await repository();
    new Disk(4 * cluster).write(1).save(image);
    const holder = { tool: 'backup-chain', verb: 'capture', pid: 41, host: 'there', since: '2026-01-12T02:00:00Z' };
    await capture();
    const lock = await local().change({ op: 'lock', path: join(root, 'vms/default/db/lock'), holder });
    expect((await capture()).failure).toMatchObject({
      kind: 'busy',
      details: { by: expect.stringContaining('pid 41 on there') },
    });
    lock.release();
    new Disk(4 * cluster).write(1, 2).save(image);
    const before = readdirSync(root, { recursive: true }).length;
    const { steps, failure } = await capture('-n');
    expect(failure).toBeNull();
    expect(readdirSync(root, { recursive: true })).toHaveLength(before);
    expect(steps.filter((line) => line.startsWith('qemu-img')).map((line) => line.split(' ')[1])).toEqual([
      'create',
      'rebase',
      'rebase',
    ]);
  });

  it('the next writer puts away what was left: half-made files, orphans, attachments and expired pins', async () => {
    const { root, image, capture } = await repository();
    new Disk(4 * cluster).write(1).save(image);
    await capture();
    const vm = join(root, 'vms/default/db');
    writeFileSync(join(disks(root), 'data/.tmp-x.0.qcow2'), 'half');
    writeFileSync(join(disks(root), 'data/old.0.qcow2'), 'orphan');
    mkdirSync(join(vm, 'sets/gone.d'));
    writeFileSync(join(vm, 'sets/gone.d/vmb.json'), '{}');
    mkdirSync(join(vm, 'trash/20200101T000000Z-merge-0000'), { recursive: true });
    expect((await capture()).code).toBe(0);
    const left = readdirSync(vm, { recursive: true }).map(String);
    expect(left.filter((path) => path.includes('.tmp-'))).toEqual([]);
    const trash = left.filter((path) => path.startsWith('trash/')).map((path) => path.split('/').slice(2).join('/'));
    expect(trash).toEqual(expect.arrayContaining(['why.json', 'disks/data/data/old.0.qcow2', 'sets/gone.d/vmb.json']));
    expect(existsSync(join(vm, 'trash/20200101T000000Z-merge-0000'))).toBe(false);
  });

  it('a manifest that cannot be read stops everything: nothing is put away on a guess', async () => {
    const { root, image, capture } = await repository();
    new Disk(4 * cluster).write(1).save(image);
    await capture();
    writeFileSync(join(disks(root), 'data/old.0.qcow2'), 'orphan');
    const manifest = join(disks(root), 'points', `000001-${ids(root)[0]}.json`);
    rmSync(manifest);
    writeFileSync(manifest, '{');
    expect((await capture()).code).toBe(5);
    expect(existsSync(join(disks(root), 'data/old.0.qcow2'))).toBe(true);
    expect((await tool(['list', '--repo', root])).code).toBe(7);
  });

  it('init: again is nothing, a strange folder is refused, a crashed one is gone on with', async () => {
    const root = join(folder, 'init');
    mkdirSync(root);
    writeFileSync(join(root, '.tmp-probe-a'), '');
    mkdirSync(join(root, 'vms'));
    expect((await tool(['init', '--repo', root])).records[0]).toMatchObject({ outcome: 'created' });
    expect(readdirSync(root).sort()).toEqual(['repo.json', 'vms']);
    expect((await tool(['init', '--repo', root])).records[0]).toMatchObject({ outcome: 'exists' });
    cpSync(root, `${root}-strange`, { recursive: true });
    rmSync(join(`${root}-strange`, 'repo.json'));
    writeFileSync(join(`${root}-strange`, 'file'), '');
    expect((await tool(['init', '--repo', `${root}-strange`])).code).toBe(3);
    expect((await tool(['init', '--repo', `${root}-absent`])).code).toBe(3);
    expect((await tool(['init'])).code).toBe(2);
  });
});
