import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Change, Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach, type LoopOptions } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { executable, run } from '../../../e2e/ground/run.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { hostOf } from './damage/place.ts';
import { Bench, dataFile, flip, makeRepository, newest } from './repository.ts';

const bench = new Bench();
const size = 64 * cluster;
const address = 'default/db/data@latest';
const restore = (to: string, ...more: string[]) =>
  tool(['restore', address, '--repo', bench.good, '--to', to, ...more]);

/** A disk that ends inside a block of 4 KiB. */
const odd = { root: join(bench.folder, 'odd'), disk: new Disk(3 * cluster + 512).write(0, 2, 3) };

beforeAll(async () => {
  await bench.make();
  mkdirSync(odd.root);
  await done(['init', '--repo', odd.root]);
  odd.disk.save(join(bench.folder, 'odd.raw'));
  const words = ['--vm', 'db', `data=${join(bench.folder, 'odd.raw')}`, '--format', 'raw'];
  await done(['capture', '--repo', odd.root, ...words]);
});
afterAll(() => bench.dispose());

const device = async (bytes: Uint8Array, options: LoopOptions = {}) => {
  const file = join(mkdtempSync(join(bench.folder, 'loop-')), 'target');
  writeFileSync(file, bytes);
  return attach(file, options);
};
const dirty = (length: number, byte = 0xff): Uint8Array => new Uint8Array(length).fill(byte);
const equal = (path: string): boolean => readFileSync(path).subarray(0, size).equals(newest());
const all = (path: string, byte: number): boolean => readFileSync(path).every((one) => one === byte);
const blank = async (path: string): Promise<boolean> => {
  expect(
    readFileSync(path)
      .subarray(0, 2 ** 20)
      .every((byte) => byte === 0),
  ).toBe(true);
  return (await run(['blkid', '-p', path])).code === 2;
};

/** A machine on which something happens right before a change. */
function meanwhile(when: (change: Change) => boolean, what: () => void): Host {
  const machine = local();
  let happened = false;
  return {
    dry: false,
    query: (query) => machine.query(query),
    change: (change) => {
      if (!happened && when(change)) {
        happened = true;
        what();
      }
      return machine.change(change);
    },
  };
}

const pours = (change: Change): boolean => change.op === 'pour' && change.pieces.some(({ from }) => from !== 'zeros');

needs('loop')('a target in use', () => {
  it('mounted: 4, and names the mount', async () => {
    await using ground = await mounted('ext4', 64 * 2 ** 20);
    const mount = execFileSync('findmnt', ['-n', '-o', 'SOURCE', ground.path]).toString().trim();
    const { code, failure } = await restore(mount, `--confirm=${mount}`);
    expect([code, failure?.message, failure?.details.by]).toEqual([
      4,
      `will not write ${mount}: it is in use`,
      `mounted at ${ground.path}`,
    ]);
  });

  it('held by a program: 4; nothing is written', async () => {
    await using target = await device(dirty(size));
    const held = openSync(target.device, 0o200 /* O_EXCL */);
    const { code, failure } = await restore(target.device);
    closeSync(held);
    expect([code, failure?.details.by]).toEqual([4, 'another program holds it']);
    expect(all(target.device, 0xff)).toBe(true);
  });

  it('is held by us to the end: nobody can mount it meanwhile', async () => {
    await using target = await device(dirty(size));
    const codes: unknown[] = [];
    const host = meanwhile(pours, () => {
      try {
        openSync(target.device, 0o200 /* O_EXCL */);
      } catch (error) {
        codes.push((error as NodeJS.ErrnoException).code);
      }
    });
    await done(['restore', address, '--repo', bench.good, '--to', target.device], { host });
    expect(codes).toEqual(['EBUSY']);
  });

  it('the repository lies on it: 3', async () => {
    await using ground = await mounted('ext4', 64 * 2 ** 20);
    await makeRepository(join(ground.path, 'repo'));
    const mount = execFileSync('findmnt', ['-n', '-o', 'SOURCE', ground.path]).toString().trim();
    const words = ['restore', address, '--repo', join(ground.path, 'repo'), '--to', mount, `--confirm=${mount}`];
    const { code, failure } = await tool(words);
    expect([code, failure?.message]).toEqual([3, `will not write ${mount}: what is to be restored lies on it`]);
    const loose = readdirSync(join(ground.path, 'repo/vms/default/db/disks/data/data'))
      .filter((name) => name.endsWith('.qcow2'))
      .map((name) => join(ground.path, 'repo/vms/default/db/disks/data/data', name));
    expect((await tool(['restore', '--files', ...loose, '--to', mount])).code).toBe(3);
  });

  it('one device for two disks: 3, also by another name of it; nothing is written', async () => {
    const root = join(bench.folder, 'two');
    mkdirSync(root);
    await done(['init', '--repo', root]);
    const image = join(bench.folder, 'two.raw');
    new Disk(size).write(1).save(image);
    const words = ['--vm', 'db', `a=${image}`, `b=${image}`, '--format', 'raw'];
    await done(['capture', '--repo', root, ...words]);
    await using target = await device(dirty(size));
    const link = join(bench.folder, 'two-link');
    symlinkSync(target.device, link);
    for (const other of [target.device, link]) {
      const to = ['--to', `a=${target.device}`, '--to', `b=${other}`];
      expect((await tool(['restore', 'default/db@latest', '--repo', root, ...to])).code).toBe(3);
    }
    expect(all(target.device, 0xff)).toBe(true);
  });
});

needs('loop')('what lies on a target', () => {
  it('a partition table or a filesystem: 3, says what and how large; confirmed, it is overwritten', async () => {
    await using target = await device(new Uint8Array(size + 2 ** 20));
    execFileSync('sfdisk', ['-q', target.device], {
      input: 'label: gpt\n,1MiB\n',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const { code, failure } = await restore(target.device);
    expect([code, failure?.message, failure?.details.size]).toEqual([
      3,
      `will not write ${target.device}: it holds a gpt partition table`,
      '5 MiB, needed 4 MiB',
    ]);
    expect((await restore(target.device, `--confirm=${target.device}`)).code).toBe(0);
    expect(equal(target.device)).toBe(true);
    expect(
      readFileSync(target.device)
        .subarray(size)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  it.each([
    ['native', 512],
    ['native', 4096],
    ['qemu', 512],
    ['qemu', 4096],
  ] as const)(
    'a disk that ends inside a block, to a larger device, by %s, sectors of %i',
    async (engine, sectorSize) => {
      const needed = odd.disk.bytes.length;
      await using target = await device(dirty(needed + cluster - 512, 0x77), { sectorSize });
      const words = ['restore', address, '--repo', odd.root, '--to', target.device, '--engine', engine];
      const ran = await tool([...words, '--verify', 'full']);
      expect(ran.failure).toBeNull();
      const found = readFileSync(target.device);
      expect(found.subarray(0, needed).equals(odd.disk.bytes)).toBe(true);
      expect(found.subarray(needed).every((byte) => byte === 0)).toBe(true);
      const kept = await tool([...words, '--keep-tail']);
      expect(kept.code).toBe(sectorSize === 512 ? 0 : 3);
    },
  );

  it.each(['native', 'qemu'])('--keep-tail by %s leaves what lies behind the disk', async (engine) => {
    await using target = await device(dirty(size + cluster, 0x77));
    expect((await restore(target.device, '--keep-tail', '--engine', engine)).failure).toBeNull();
    expect(equal(target.device)).toBe(true);
    expect(
      readFileSync(target.device)
        .subarray(size)
        .every((byte) => byte === 0x77),
    ).toBe(true);
  });
});

needs('loop', 'strace')('a restore that ends early', () => {
  /** The changes of a restore to a device: head, flush, zeros, body, flush, head, flush. */
  it.each([
    ['kill', 4, null],
    ['kill', 6, null],
    ['int', 4, null],
    ['fail', 6, 1],
  ])('%s at change %i: a blank disk; --delta goes on with fewer bytes and is exact', async (what, at, code) => {
    await using target = await device(dirty(size));
    const words = ['backup-chain', 'restore', address, '--repo', bench.good, '--to', target.device];
    const ended = await run(words, { env: { PLATTER_FAULT: `${what}@${at}` } });
    expect(ended.code).toBe(code);
    expect(await blank(target.device)).toBe(true);
    const { records } = await restore(target.device, '--delta', '--verify', 'full');
    expect(equal(target.device)).toBe(true);
    const whole = records[0] as { bytesWritten: number; bytesSkipped: number };
    expect(whole.bytesSkipped > 0 || at < 5).toBe(true);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('%s while data is written: a blank disk', async (signal) => {
    await using target = await device(dirty(size));
    const strike = ['-e', 'trace=pwrite64', '-e', `inject=pwrite64:signal=${signal}:when=3`];
    const words = ['restore', address, '--repo', bench.good, '--to', target.device, '--workers', '1'];
    const ended = await run([
      'strace',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      ...strike,
      executable('backup-chain'),
      ...words,
    ]);
    expect(ended.signal ?? ended.code).toBe(signal);
    expect(await blank(target.device)).toBe(true);
    expect(equal(target.device)).toBe(false);
    expect((await restore(target.device, '--delta')).code).toBe(0);
    expect(equal(target.device)).toBe(true);
  });

  it('a head that is found damaged while it is written: 5, and blank', async () => {
    const f = bench.copy();
    flip(dataFile(f, 3), hostOf(f, 3, 14) + 77);
    await using target = await device(dirty(size));
    const { code, failure } = await tool(['restore', address, '--repo', f.root, '--to', target.device]);
    expect([code, failure?.hint]).toEqual([5, expect.stringContaining('--delta')]);
    expect(failure?.message).toContain(dataFile(f, 3));
    expect(await blank(target.device)).toBe(true);
  });

  it('--delta onto a disk that is right changes nothing at all', async () => {
    await using target = await device(dirty(size + cluster));
    await restore(target.device);
    const machine = local();
    const changes: Change[] = [];
    const host: Host = {
      ...machine,
      change: (change) => {
        changes.push(change);
        return machine.change(change);
      },
    };
    const words = ['restore', address, '--repo', bench.good, '--to', target.device, '--delta'];
    expect((await tool(words, { host })).code).toBe(0);
    expect(changes).toEqual([]);
  });

  it.each([
    ['a cluster of it', (path: string) => flip(path, 4 * cluster)],
    ['only its time', (path: string) => execFileSync('touch', ['-d', '2020-01-01', path])],
  ])('a layer that is written to between check and copy, %s: 5', async (_, spoil) => {
    const f = bench.copy();
    await using target = await device(dirty(size));
    const host = meanwhile(pours, () => spoil(dataFile(f, 0)));
    const words = ['restore', address, '--repo', f.root, '--to', target.device];
    expect((await tool(words, { host })).code).toBe(5);
  });

  it('a layer whose name goes to another file meanwhile: what was proven is what is restored', async () => {
    const f = bench.copy();
    await using target = await device(dirty(size));
    const host = meanwhile(pours, () => {
      writeFileSync(join(bench.folder, 'impostor'), readFileSync(dataFile(f, 1)));
      renameSync(join(bench.folder, 'impostor'), dataFile(f, 0));
    });
    await done(['restore', address, '--repo', f.root, '--to', target.device, '--verify', 'full'], { host });
    expect(equal(target.device)).toBe(true);
  });
});

describe('a new file', () => {
  const goal = (name: string): string => join(bench.folder, name);
  const part = async (path: string): Promise<string> => {
    const { records } = await tool(['show', address, '--repo', bench.good]);
    return join(bench.folder, `.${path}.${(records[0] as { id: string }).id}.part`);
  };

  it('that a killed run finished but for its other name is settled by the next', async () => {
    const path = goal('settled.img');
    expect((await restore(path, '--file')).code).toBe(0);
    linkSync(path, await part('settled.img'));
    const { code, records } = await restore(path, '--file', '--verify', 'full');
    expect([code, records]).toMatchObject([0, [{ bytesWritten: 0, bytesSkipped: size }]]);
    expect([existsSync(await part('settled.img')), statSync(path).nlink]).toEqual([false, 1]);
    expect((await restore(path, '--file')).code).toBe(3);
  });

  it('is not settled when it was written to since: 3, and both names stay', async () => {
    const path = goal('changed.img');
    await restore(path, '--file');
    linkSync(path, await part('changed.img'));
    flip(path, 5 * cluster);
    expect((await restore(path, '--file')).code).toBe(3);
    expect(statSync(path).nlink).toBe(2);
  });

  it('is never a symbolic link that leads nowhere, nor in what is restored from', async () => {
    symlinkSync(goal('nowhere'), goal('dangling'));
    expect((await restore(goal('dangling'), '--file')).code).toBe(3);
    expect(existsSync(goal('nowhere'))).toBe(false);
    expect((await restore(join(bench.good, 'new.img'), '--file')).code).toBe(3);
    const f = bench.copy();
    const known = () => {
      const { ino, size: length, mtimeMs, mode } = statSync(dataFile(f, 0));
      return { ino, length, mtimeMs, mode };
    };
    const before = known();
    const onto = ['--to', dataFile(f, 0), '--delta', `--confirm=${dataFile(f, 0)}`];
    expect((await tool(['restore', '--files', dataFile(f, 0), dataFile(f, 1), ...onto])).code).toBe(3);
    expect((await tool(['restore', address, '--repo', f.root, ...onto])).code).toBe(3);
    expect(known()).toEqual(before);
  });
});

describe('the machine', () => {
  it('with 64 descriptors restores 200 links', async () => {
    const files = Array.from({ length: 200 }, (_, n) =>
      dataFile(
        { root: bench.good, disk: join(bench.good, 'vms/default/db/disks/data'), ids: ids() },
        n === 0 ? 0 : 1 + (n % 3),
      ),
    );
    const path = join(bench.folder, 'links.img');
    const words = ['prlimit', '--nofile=64', '--', join(import.meta.dirname, '../../../bin/backup-chain')];
    const ran = await run([...words, 'restore', '--files', ...files, '--file', '--to', path, '--verify', 'full']);
    expect([ran.code, ran.stderr]).toEqual([0, expect.any(String)]);
    const other = join(bench.folder, 'links-here.img');
    await done(['restore', '--files', ...files, '--file', '--to', other]);
    expect(readFileSync(path).equals(readFileSync(other))).toBe(true);
  });

  const ids = (): string[] =>
    readdirSync(join(bench.good, 'vms/default/db/disks/data/points'))
      .sort()
      .map((name) => name.slice(7, -5));

  it('without QEMU does all but what asks for it by name: 6, and the package', async () => {
    const bare = join(bench.folder, 'bare');
    mkdirSync(bare);
    for (const folder of ['/usr/sbin', '/usr/bin', '/sbin', '/bin'])
      for (const name of readdirSync(folder))
        if (!name.startsWith('qemu') && !existsSync(join(bare, name)))
          symlinkSync(join(folder, name), join(bare, name));
    const node = join(import.meta.dirname, '../../../bin/backup-chain');
    const env = { PATH: `${join(process.execPath, '..')}:${bare}` };
    const say = (...words: string[]) => run([node, ...words], { env });
    const f = bench.copy();
    const path = join(bench.folder, 'bare.img');
    const image = join(bench.folder, 'bare.raw');
    new Disk(size).write(3).save(image);
    for (const words of [
      ['validate', '--repo', f.root, '--level', 'deep'],
      ['plan', address, '--repo', f.root],
      ['restore', address, '--repo', f.root, '--file', '--to', path],
      ['capture', '--repo', f.root, '--vm', 'db', `data=${image}`, '--format', 'raw'],
      ['restore', address, '--repo', f.root, '--file', '--to', `${path}.sh`, '--plan=sh'],
    ])
      expect(await say(...words), words.join(' ')).toMatchObject({ code: 0 });
    expect(equal(path)).toBe(true);
    const by = await say('restore', address, '--repo', f.root, '--file', '--to', `${path}.2`, '--engine', 'qemu');
    expect([by.code, by.stderr]).toEqual([6, expect.stringContaining('qemu-utils')]);
    expect(existsSync(`${path}.2`)).toBe(false);
    rmSync(bare, { recursive: true });
  });
});
