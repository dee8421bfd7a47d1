import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { shown } from '@platter/host/shown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { looseChain } from './loose-chain.ts';
import { Bench, dataFile, newest, patch, u32, u64 } from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

const size = 64 * cluster;
const address = 'default/db/data@latest';
const device = async (bytes: Uint8Array, options = {}) => {
  const file = join(mkdtempSync(join(bench.folder, 'loop-')), 'target');
  writeFileSync(file, bytes);
  return attach(file, options);
};
const dirty = (length: number): Uint8Array => new Uint8Array(length).fill(0xff);
const restore = (to: string, ...more: string[]) =>
  tool(['restore', address, '--repo', bench.good, '--to', to, ...more]);
const equal = (path: string): boolean => readFileSync(path).subarray(0, size).equals(newest());

describe('restore to a block device', () => {
  it('that was full of other bytes', async () => {
    await using target = await device(dirty(size));
    const { records, failure } = await restore(target.device, '--verify', 'full');
    expect(failure).toBeNull();
    expect(equal(target.device)).toBe(true);
    expect(records).toMatchObject([
      { kind: 'Restore', engine: 'native', checked: true, verify: 'full', virtualSize: size, exit: 0 },
    ]);
  });

  it('of 4 KiB sectors, past the page cache, through a symbolic link', async () => {
    await using target = await device(dirty(size), { sectorSize: 4096, directIo: true });
    const link = join(bench.folder, 'by-link');
    symlinkSync(target.device, link);
    expect((await restore(link)).records).toMatchObject([{ target: target.device }]);
    expect(equal(target.device)).toBe(true);
  });

  it.each([
    [[], 0],
    [['--keep-tail'], 0x77],
  ])('larger, with %j', async (flags, tail) => {
    const bytes = new Uint8Array(size + 3 * cluster + 4096).fill(0x77);
    await using target = await device(bytes);
    expect((await restore(target.device, ...flags)).code).toBe(0);
    expect(equal(target.device)).toBe(true);
    expect(
      readFileSync(target.device)
        .subarray(size)
        .every((byte) => byte === tail),
    ).toBe(true);
  });

  it('smaller, read-only, mounted, held, twice as large or with something on it: refused, and not touched', async () => {
    await using small = await device(dirty(size - 512));
    expect((await restore(small.device)).code).toBe(3);
    await using twice = await device(dirty(2 * size));
    expect((await restore(twice.device)).code).toBe(3);
    await using target = await device(dirty(size));
    const held = openSync(target.device, 0o200 /* O_EXCL */);
    expect((await restore(target.device)).code).toBe(4);
    closeSync(held);
    execFileSync('blockdev', ['--setro', target.device]);
    expect((await restore(target.device)).code).toBe(3);
    execFileSync('blockdev', ['--setrw', target.device]);
    expect(readFileSync(target.device).every((byte) => byte === 0xff)).toBe(true);
    execFileSync('mkfs.ext4', ['-q', '-L', 'scratch', target.device], { stdio: 'pipe' });
    const { failure } = await restore(target.device);
    expect(failure).toMatchObject({
      kind: 'refused',
      message: `will not write ${target.device}: it holds ext4 "scratch"`,
      hint: `--confirm=${target.device}`,
    });
    expect((await restore(target.device, `--confirm=${target.device}`)).code).toBe(0);
    expect(equal(target.device)).toBe(true);
  });

  it('a filesystem that is mounted from it is in use: 4', async () => {
    await using ground = await mounted('ext4', 64 * 2 ** 20);
    const mount = execFileSync('findmnt', ['-n', '-o', 'SOURCE', ground.path]).toString().trim();
    expect((await restore(mount, `--confirm=${mount}`)).code).toBe(4);
  });

  it('absent under /dev: 3, and nothing is made', async () => {
    for (const more of [[], ['--file']]) expect((await restore('/dev/platter-nothing', ...more)).code).toBe(3);
    expect(existsSync('/dev/platter-nothing')).toBe(false);
    for (const path of [bench.folder, '/dev/null']) expect((await restore(path)).code).toBe(3);
  });

  it('--delta writes what differs, and nothing to a disk that is right', async () => {
    await using target = await device(dirty(size));
    await restore(target.device);
    expect((await restore(target.device, '--delta')).records).toMatchObject([
      { bytesWritten: 0, bytesZeroed: 0, bytesSkipped: size },
    ]);
    const fd = openSync(target.device, 'r+');
    writeSync(fd, dirty(cluster), 0, cluster, 30 * cluster);
    writeSync(fd, dirty(10), 0, 10, 10 * cluster);
    closeSync(fd);
    const { records } = await restore(target.device, '--delta', '--verify', 'full');
    expect(records).toMatchObject([{ bytesSkipped: size - 2 * cluster }]);
    expect(equal(target.device)).toBe(true);
  });

  it('a backing filesystem that fills up is an error, and the head stays blank', async () => {
    await using ground = await mounted('ext4', 24 * 2 ** 20);
    const file = join(ground.path, 'target');
    execFileSync('truncate', ['-s', '40M', file]);
    const disk = new Disk(40 * 2 ** 20).write(...Array.from({ length: 640 }, (_, n) => n));
    const root = join(bench.folder, 'large');
    mkdirSync(root);
    await done(['init', '--repo', root]);
    disk.save(join(bench.folder, 'large.raw'));
    await done(['capture', '--repo', root, '--vm', 'db', `data=${join(bench.folder, 'large.raw')}`, '--format', 'raw']);
    await using target = await attach(file);
    const { code, failure } = await tool(['restore', address, '--repo', root, '--to', target.device]);
    expect([code, failure?.hint]).toEqual([1, expect.stringContaining('--delta')]);
    const head = Buffer.alloc(2 ** 20);
    const fd = openSync(target.device, 'r');
    readSync(fd, head, 0, head.length, 0);
    closeSync(fd);
    expect(head.every((byte) => byte === 0)).toBe(true);
  });
});

describe('restore to a file', () => {
  it('is sparse, 0600, and never over one that exists unless it is said', async () => {
    const path = join(bench.folder, 'new.img');
    expect((await restore(path)).code).toBe(3);
    expect((await restore(path, '--file')).code).toBe(0);
    expect(equal(path)).toBe(true);
    expect(execFileSync('stat', ['-c', '%a', path]).toString()).toBe('600\n');
    expect((await restore(path, '--file')).code).toBe(3);
    patch(path, 5 * cluster, dirty(cluster));
    expect((await restore(path, '--delta', `--confirm=${path}`)).code).toBe(0);
    expect(equal(path)).toBe(true);
    expect(readdirSync(bench.folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('goes on with what an interrupted run left', async () => {
    const path = join(bench.folder, 'again.img');
    const id = (await tool(['list', 'default/db/data', '--repo', bench.good])).records.at(-1) as { id: string };
    writeFileSync(join(bench.folder, `.again.img.${id.id}.part`), newest().subarray(0, 40 * cluster));
    const { records } = await restore(path, '--file', '--verify', 'full');
    expect(records).toMatchObject([{ bytesSkipped: expect.any(Number) }]);
    expect((records[0] as { bytesSkipped: number }).bytesSkipped).toBeGreaterThan(30 * cluster);
    expect(equal(path)).toBe(true);
  });

  it('the printed script restores the same', async () => {
    const path = join(bench.folder, "it's a\tscript.img");
    const { text } = await tool(['restore', address, '--repo', bench.good, '--file', '--to', path, '--plan=sh']);
    execFileSync('sh', [], { input: text.join('\n'), stdio: ['pipe', 'ignore', 'inherit'] });
    expect(equal(path)).toBe(true);
  });

  it('loose chains of other cluster sizes, compressed, extended: as qemu-img converts them', async () => {
    for (const [n, [options, more]] of (
      [
        ['cluster_size=4k', []],
        ['cluster_size=64k,extended_l2=on', []],
        ['cluster_size=2M', []],
        ['compression_type=zstd', ['-c']],
        ['compression_type=zlib', ['-c']],
      ] as const
    ).entries()) {
      const [raw, full, inc] = ['raw', 'full', 'inc'].map((name) => join(bench.folder, `${name}-${n}`)) as [
        string,
        string,
        string,
      ];
      new Disk(3 * 2 ** 20 + 512).write(1, 2, 3, 20).save(raw);
      execFileSync('qemu-img', ['convert', ...more, '-f', 'raw', '-O', 'qcow2', '-o', options, raw, full]);
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', full, '-F', 'qcow2', inc]);
      execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x21 100k 9k', '-c', 'write -z 131072 65536', inc], {
        stdio: 'pipe',
      });
      const [ours, theirs] = [join(bench.folder, `ours-${n}`), join(bench.folder, `theirs-${n}`)];
      execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', inc, theirs]);
      await done(['restore', '--files', full, inc, '--file', '--to', ours, '--verify', 'full']);
      expect(readFileSync(ours).equals(readFileSync(theirs)), options).toBe(true);
    }
  });

  it('a disk that shrank inside a cluster and grew again shows zeros behind its smaller end, as qemu-img has it', async () => {
    const folder = mkdtempSync(join(bench.folder, 'shrunk-'));
    const files = ['full', 'smaller', 'larger'].map((name) => join(folder, `${name}.qcow2`));
    const sizes = [4 * cluster, 2 * cluster + 512, 4 * cluster];
    for (const [n, file] of files.entries()) {
      const on = n === 0 ? [] : ['-b', files[n - 1] as string, '-F', 'qcow2'];
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...on, file, String(sizes[n])]);
    }
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -P 7 0 ${sizes[0]}`, files[0] as string], { stdio: 'ignore' });
    const [raw, to] = [join(folder, 'raw'), join(folder, 'restored')];
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', files[2] as string, raw]);
    await done(['restore', '--files', ...files, '--file', '--to', to]);
    expect(readFileSync(to).equals(readFileSync(raw))).toBe(true);
    expect([...readFileSync(to).subarray(2 * cluster + 510, 2 * cluster + 514)]).toEqual([7, 7, 0, 0]);
  });

  it('of a set goes disk by disk; a disk without a target is exit 2', async () => {
    const path = join(bench.folder, 'set.img');
    const say = async (...words: string[]) =>
      (await tool(['restore', 'default/db@latest', '--repo', bench.good, '--file', ...words])).code;
    expect(await say('--to', path)).toBe(2);
    expect(await say('--to', `other=${path}`)).toBe(2);
    expect(await say()).toBe(2);
    expect(await say('--to', `data=${path}`)).toBe(0);
    expect(await say('--disk', 'data', '--to', `${path}.2`)).toBe(0);
    expect(await say('--disk', 'none', '--to', `${path}.3`)).toBe(3);
    expect(equal(path) && equal(`${path}.2`)).toBe(true);
  });
});

describe('what validate and restore touch', () => {
  const opens = (calls: readonly string[]) => calls.filter((call) => call.startsWith('openat'));

  it('nothing in the repository is opened for writing, nothing changes, no connection is made', async () => {
    const before = await tree(bench.good);
    const goal = join(bench.folder, 'traced.img');
    for (const argv of [
      ['validate', '--level', 'deep', '--repo', bench.good],
      ['restore', address, '--repo', bench.good, '--file', '--to', goal],
    ]) {
      const { calls, code } = await strace(['backup-chain', ...argv], { trace: 'openat,connect,unlink,rename' });
      expect(code).toBe(0);
      expect(opens(calls).filter((call) => call.includes(`"${bench.good}/`)).length).toBeGreaterThan(4);
      const writing = opens(calls).filter(
        (call) => call.includes(`"${bench.good}/`) && /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(call),
      );
      expect(writing).toEqual([]);
      expect(calls.filter((call) => call.startsWith('connect('))).toEqual([]);
    }
    expect(await tree(bench.good)).toEqual(before);
  });

  it.each([
    ['backing raw', (path: string, foreign: string) => named(path, foreign), 3],
    [
      'backing json:',
      (path: string, foreign: string) =>
        named(path, `json:{"driver":"raw","file":{"driver":"file","filename":"${foreign}"}}`),
      3,
    ],
    ['backing nbd:', (path: string) => named(path, 'nbd://127.0.0.1:10809/x'), 3],
    ['external data file', (path: string) => patch(path, 72, u64(4n)), 3],
    ['snapshots', (path: string) => patch(path, 60, u32(1)), 3],
    ['encryption', (path: string) => patch(path, 32, u32(2)), 3],
    ['cluster_bits', (path: string) => patch(path, 20, u32(60)), 5],
  ] as const)('hostile %s: nothing foreign is opened, no program started', async (_, spoil, loose) => {
    const f = bench.copy();
    const foreign = join(bench.folder, 'foreign-secret');
    writeFileSync(foreign, 'secret');
    spoil(dataFile(f, 0), foreign);
    for (const [argv, exit] of [
      [['validate', '--repo', f.root, '--level', 'deep'], 5],
      [['restore', address, '--repo', f.root, '--file', '--to', join(bench.folder, 'never')], 5],
      [['validate', '--files', dataFile(f, 0), '--level', 'deep'], loose],
      [
        ['restore', '--files', dataFile(f, 0), '--file', '--to', join(bench.folder, 'never'), '--engine', 'qemu'],
        loose,
      ],
    ] as const) {
      const { calls, code } = await strace(['backup-chain', ...argv], { trace: 'openat,connect,execve' });
      expect(code, argv.join(' ')).toBe(exit);
      expect(calls.filter((call) => call.includes('foreign-secret'))).toEqual([]);
      expect(calls.filter((call) => call.startsWith('connect('))).toEqual([]);
      expect(
        calls.filter((call) => call.startsWith('execve') && call.includes('qemu') && call.endsWith('= 0')),
      ).toEqual([]);
    }
    expect(existsSync(join(bench.folder, 'never'))).toBe(false);
  });
});

function named(path: string, name: string): void {
  patch(path, 8, [...u64(512n), ...u32(name.length)]);
  patch(path, 512, [...Buffer.from(name)]);
}

needs('qemu-img', 'qemu-storage-daemon')('a chain too deep for one nested node', () => {
  it('is read by qemu-img over a socket: the same bytes, and nothing is left', async () => {
    const folder = mkdtempSync(join(bench.folder, 'deep-'));
    const { files, bytes } = looseChain(folder, 150);
    const changes: string[] = [];
    const machine = local();
    const host: Host = {
      dry: false,
      query: (query) => machine.query(query),
      change: (change) => {
        changes.push(shown(change));
        return machine.change(change);
      },
    };
    for (const engine of ['native', 'qemu']) {
      const to = join(folder, engine);
      await done(['restore', '--files', ...files, '--file', '--to', to, '--engine', engine, '--verify', 'full'], {
        host,
        env: { TMPDIR: folder },
      });
      expect(readFileSync(to).equals(Buffer.from(bytes)), engine).toBe(true);
    }
    const convert = changes.find((line) => line.includes('qemu-img')) ?? '';
    expect(convert).toContain('-n -t none -T writeback -m 16 -W -f raw -O raw');
    expect(convert).toMatch(/nbd\+unix:\/\/\/disk\?socket=.*\/nbd\.sock/);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
