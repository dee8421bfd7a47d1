import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Failure } from '@platter/host/failure';
import { hold } from '@platter/host/hold';
import { type Facts, output, scripted } from '@platter/host/scripted';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensure } from '../src/ensure.ts';
import { targetOf } from '../src/target.ts';
import type { Wish } from '../src/wish.ts';
import { callOn } from './fixture/call.ts';
import { file, uuid, wish } from './fixture/disks.ts';

let folder = '';
let image = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'disk-tools-'));
  image = join(folder, 'image');
  writeFileSync(image, gunzipSync(readFileSync(join(import.meta.dirname, 'answers/ext4-clean.head.gz'))));
  truncateSync(image, 64 * 2 ** 20);
});
afterAll(() => rmSync(folder, { recursive: true }));

const room = '/disks/.d.platter-abababababababab';
const lock = '/disks/.d.platter-lock';
const dir = { ...file(), kind: 'dir' as const };
const program = { ...file(), mode: 0o755 };

/** The image as the door would have opened it, under another path. */
const opened = () => {
  const held = hold(image);
  return { path: image, held, file: file({ dev: held.dev, ino: held.ino, size: held.size }) };
};

/** A machine with an empty /disks, plenty of space and the programs. */
const empty = (more: Facts = {}): Facts => ({
  'stat /disks/d': null,
  [`stat ${lock}`]: null,
  'stat /disks': dir,
  'space /disks': { free: 1e12, total: 1e12, type: 0xef53 },
  'stat /bin/mkfs.ext4': program,
  'stat /bin/qemu-img': program,
  ...more,
});

/** A machine with an image at a path that nobody uses. */
const present = (path: string): Facts => {
  const { held, file: found } = opened();
  const facts = { [`stat ${path}`]: found, [`realpath ${path}`]: path, [`hold ${path}`]: held };
  return { ...facts, 'text /proc/locks': '', 'list /sys/block': [] };
};

const run = async (facts: Facts, asked: Partial<Wish> = {}, dry = false) => {
  const host = scripted(facts);
  const { call, said } = callOn(dry ? { ...host, dry } : host, {});
  const failure = await ensure(call, targetOf('/disks', 'd'), wish({ size: 64 * 2 ** 20, ...asked })).catch((e) => e);
  return { failure, said, changes: host.changes, looks: host.looks };
};

const failing = (code: string) => () => {
  throw new Failure('failed', code, { cause: { code } });
};

describe('ensure of a new disk', () => {
  it('makes it aside, flushes it, links it and takes the scaffold away', async () => {
    const { failure, said, changes } = await run({ ...empty(), ...present(`${room}/out/d`) }, { format: 'raw', uuid });
    expect(failure).toBeUndefined();
    expect(changes.map((line) => line.replace(/ -O none.*root_owner=0:0/, ' ...'))).toEqual([
      `sync -- ${lock}`,
      `mkdir -m 0700 -- ${room}`,
      `mkdir -m 0700 -- ${room}/out`,
      `install -m 0600 /dev/null ${room}/out/d`,
      `mkfs.ext4 -q -F -b 4096 -m 1 -L platter-data -U ${uuid} ... ${room}/out/d 16384`,
      expect.stringMatching(/^sync -- /),
      `ln -T -- ${room}/out/d /disks/d`,
      'sync -- /disks',
      `rm -f -- ${room}/raw`,
      `rm -f -- ${room}/out/d`,
      `rmdir -- ${room}/out`,
      `rmdir -- ${room}`,
      `rm -f -- ${lock}`,
    ]);
    expect(said.records).toMatchObject([{ action: 'created', changed: true, path: '/disks/d', format: 'raw' }]);
  });

  it('as qcow2 is converted from scratch', async () => {
    const { changes } = await run(empty(), {}, true);
    expect(changes.slice(2, 7).map((line) => line.replace(/ -O none.*root_owner=0:0/, ' ...'))).toEqual([
      `mkfs.ext4 -q -F -b 4096 -m 1 -L platter-data -U 11111111-2222-4333-8444-555555555555 ... ${room}/raw 16384`,
      `install -m 0600 /dev/null ${room}/out/d`,
      `qemu-img convert -p -f raw -O qcow2 -o compat=1.1,cluster_size=65536,lazy_refcounts=off ${room}/raw ${room}/out/d`,
      `sync -- ${room}/out/d`,
      `ln -T -- ${room}/out/d /disks/d`,
    ]);
  });

  it('with a partition gets its table first, with XFS its size and the features of old kernels', async () => {
    const mbr = await run(empty(), { layout: 'mbr' }, true);
    expect(mbr.changes[2]).toMatch(/^install -m 0600 .*base64 -d > .*raw$/);
    expect(mbr.changes[3]).toMatch(/root_owner=0:0,offset=1048576 .*raw 16128$/);
    const xfs = { 'stat /bin/mkfs.xfs': program, 'mkfs.xfs -V': output({ stdout: 'mkfs.xfs version 6.1.0\n' }) };
    const size = 300 * 2 ** 20;
    const { changes } = await run(empty(xfs), { fs: 'xfs', size }, true);
    expect(changes.slice(2, 5)).toEqual([
      `install -m 0600 /dev/null ${room}/raw`,
      `truncate -s ${size} -- ${room}/raw`,
      `mkfs.xfs -q -f -L platter-data -m uuid=11111111-2222-4333-8444-555555555555,bigtime=0,inobtcount=0 -i nrext64=0 ${room}/raw`,
    ]);
    const old = { ...xfs, 'mkfs.xfs -V': output({ stdout: 'mkfs.xfs version 5.18.0\n' }) };
    expect((await run(empty(old), { fs: 'xfs', size }, true)).changes[4]).not.toContain('nrext64');
  });

  it.each([
    [
      'a program is missing',
      { 'stat /bin/qemu-img': null, ...absent('qemu-img') },
      'unsupported',
      'qemu-img is not installed',
    ],
    ['the directory is missing', { 'stat /disks': null }, 'refused', 'there is no directory /disks'],
    ['the directory is none', { 'stat /disks': file() }, 'refused', 'is not a directory'],
    ['there is no space', { 'space /disks': { free: 1e6, total: 1e12, type: 0xef53 } }, 'refused', 'are needed'],
    [
      'there are no hard links',
      { 'space /disks': { free: 1e12, total: 1e12, type: 0x4d44 } },
      'unsupported',
      'no hard links',
    ],
  ] as [string, Facts, string, string][])('changes nothing when %s', async (_, facts, kind, says) => {
    const { failure, changes } = await run(empty(facts));
    expect([failure.kind, changes]).toEqual([kind, []]);
    expect(failure.message).toContain(says);
  });

  it('takes everything away when a step fails, and says which', async () => {
    const broken = { [`mkdir -m 0700 -- ${room}/out`]: failing('EIO') };
    const { failure, changes } = await run(empty(broken));
    expect(failure.message).toBe('EIO');
    expect(changes.slice(-5).map((line) => line.split(' -- ')[0])).toEqual([
      'rm -f',
      'rm -f',
      'rmdir',
      'rmdir',
      'rm -f',
    ]);
  });

  it('decides again from facts when somebody else was faster', async () => {
    const facts: Facts = {
      ...empty(),
      ...present(`${room}/out/d`),
      [`ln -T -- ${room}/out/d /disks/d`]: failing('EEXIST'),
    };
    const { held, file: found } = opened();
    let looks = 0;
    facts['stat /disks/d'] = () => (++looks > 2 ? found : null);
    Object.assign(facts, { 'realpath /disks/d': '/disks/d', 'hold /disks/d': held });
    const { failure, said, changes } = await run(facts, { format: 'raw', uuid });
    expect(failure).toBeUndefined();
    expect(said.records).toMatchObject([{ action: 'kept', changed: false }]);
    expect(changes.at(-1)).toBe(`rm -f -- ${lock}`);
  });

  it('fails when what was made is not what was asked for', async () => {
    const facts = { ...empty(), ...present(`${room}/out/d`) };
    const { failure, changes } = await run(facts, { format: 'raw', label: 'other' });
    expect(failure.message).toContain('platter-data, not other');
    expect(changes.join('\n')).not.toContain('ln -T');
  });

  it('is busy while somebody else has the lock', async () => {
    const busy = () => {
      throw new Failure('busy', 'locked', { details: { by: 'disk-tools ensure, pid 9 on h' } });
    };
    const { failure, changes } = await run(empty({ [`# lock ${lock}`]: busy }));
    expect([failure.kind, failure.details.by, changes]).toEqual(['busy', 'disk-tools ensure, pid 9 on h', []]);
  });
});

describe('ensure of a disk that is there', () => {
  it('changes nothing', async () => {
    const { said, changes } = await run({ ...present('/disks/d'), [`stat ${lock}`]: null }, { format: 'raw' });
    expect(changes).toEqual([]);
    expect(said.text).toEqual(['kept    d  raw 64 MiB  ext4 "platter-data" 7c1e40d2-…  (nothing to do)']);
  });

  it('needs no program', async () => {
    const { looks } = await run({ ...present('/disks/d'), [`stat ${lock}`]: null }, { format: 'raw' });
    expect(looks.filter((look) => !/^(stat|realpath|hold|text|list) /.test(look))).toEqual([]);
  });

  it('sweeps what a crash left, and only what the lock names', async () => {
    const left = '/disks/.d.platter-0123456789abcdef';
    const line = JSON.stringify({ workspaces: ['.d.platter-0123456789abcdef', '.e.platter-0123456789abcdef', '../x'] });
    const facts: Facts = { ...present('/disks/d'), [`stat ${lock}`]: file(), [`text ${lock}`]: line };
    Object.assign(facts, {
      [`stat ${left}`]: dir,
      [`list ${left}`]: [{ name: 'out', kind: 'dir' }],
      [`list ${left}/out`]: [],
    });
    const { changes } = await run(facts, { format: 'raw' });
    expect(changes).toEqual([
      `sync -- ${lock}`,
      `rm -f -- ${left}/raw`,
      `rm -f -- ${left}/out/d`,
      `rmdir -- ${left}/out`,
      `rmdir -- ${left}`,
      `rm -f -- ${lock}`,
    ]);
  });

  it('stops the sweep at what is not ours, and leaves the lock file for the next run', async () => {
    const left = '/disks/.d.platter-0123456789abcdef';
    const line = JSON.stringify({ workspaces: ['.d.platter-0123456789abcdef'] });
    const facts: Facts = { ...present('/disks/d'), [`stat ${lock}`]: file(), [`text ${lock}`]: line };
    Object.assign(facts, {
      [`stat ${left}`]: dir,
      [`list ${left}`]: [{ name: 'precious', kind: 'file' }],
      [`list ${left}/out`]: null,
    });
    const { failure, changes } = await run(facts, { format: 'raw' });
    expect(failure.message).toContain('precious is not ours');
    expect(changes).toEqual([`sync -- ${lock}`]);
  });

  it('sweeps what was recorded between the look and the lock', async () => {
    const line = JSON.stringify({ workspaces: ['.d.platter-fedcba9876543210'] });
    const facts: Facts = { ...present('/disks/d'), [`stat ${lock}`]: file(), [`text ${lock}`]: '' };
    Object.assign(facts, {
      [`# lock ${lock}`]: { fd: -1, path: lock, previous: line, release: () => {} },
      'stat /disks/.d.platter-fedcba9876543210': null,
    });
    const { changes } = await run(facts, { format: 'raw' });
    expect(changes).toEqual([expect.stringContaining('.d.platter-fedcba9876543210'), `rm -f -- ${lock}`]);
  });

  it('is busy while a loop or a VM has it', async () => {
    const facts: Facts = { ...present('/disks/d') };
    const { ino, dev } = facts['stat /disks/d'] as { ino: bigint; dev: bigint };
    const device = `${((dev >> 8n) & 0xfffn).toString(16)}:${(dev & 0xffn).toString(16)}`;
    facts['text /proc/locks'] = `1: OFDLCK ADVISORY  READ -1 ${device}:${ino} 101 101\n`;
    Object.assign(facts, { 'list /proc': [] });
    const { failure, changes } = await run(facts, { format: 'raw' });
    expect([failure.kind, changes]).toEqual(['busy', []]);
    expect(failure.message).toContain('a running VM writes to it');
  });
});

function absent(name: string): Facts {
  return Object.fromEntries(['/usr/local/sbin', '/usr/sbin', '/sbin'].map((place) => [`stat ${place}/${name}`, null]));
}
