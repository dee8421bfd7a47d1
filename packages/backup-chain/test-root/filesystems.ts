import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { attach } from '../../../e2e/ground/loops.ts';
import { succeed } from '../../../e2e/ground/run.ts';

const mebibyte = 2 ** 20;

const make = (path: string, size: number, mkfs: readonly string[]): void => {
  writeFileSync(path, '');
  truncateSync(path, size);
  execFileSync(mkfs[0] as string, [...mkfs.slice(1), path], { stdio: 'pipe' });
};

/** Mounts an image, runs `work` in it, and takes the mount away. */
async function mountedAt(path: string, work: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = `${path}.mnt`;
  mkdirSync(folder);
  await using loop = await attach(path);
  await succeed(['mount', loop.device, folder]);
  try {
    await work(folder);
  } finally {
    await succeed(['umount', folder]);
    rmSync(folder, { recursive: true });
  }
}

const fill = (folder: string): void => {
  for (let n = 0; n < 40; n += 1) writeFileSync(join(folder, `file-${n}`), `content ${n}`.repeat(400));
};

/** An ext4 as a power cut leaves it: its journal has to be replayed. */
export async function dirtyExt4(path: string): Promise<void> {
  const live = `${path}.live`;
  make(live, 16 * mebibyte, ['mkfs.ext4', '-q', '-F']);
  await mountedAt(live, async (folder) => {
    fill(folder);
    await succeed(['sync', '-f', folder]);
    copyFileSync(live, path);
  });
  rmSync(live);
}

export const cleanXfs = (path: string): void => make(path, 300 * mebibyte, ['mkfs.xfs', '-q']);

/** An XFS that was shut down with changes in its log. */
export async function dirtyXfs(path: string): Promise<void> {
  cleanXfs(path);
  await mountedAt(path, async (folder) => {
    fill(folder);
    await succeed(['xfs_io', '-x', '-c', 'shutdown -f', folder]);
  });
}

export const cleanBtrfs = (path: string): void => make(path, 128 * mebibyte, ['mkfs.btrfs', '-q']);

/** An ext4 whose superblock counts more inodes than there are. */
export function brokenExt4(path: string): void {
  make(path, 16 * mebibyte, ['mkfs.ext4', '-q', '-F', '-O', '^metadata_csum']);
  const fd = openSync(path, 'r+');
  const inodes = Buffer.alloc(4);
  readSync(fd, inodes, 0, 4, 1024);
  inodes.writeUInt32LE(inodes.readUInt32LE() * 3);
  writeSync(fd, inodes, 0, 4, 1024);
}

/** Images in partitions, by a script of sfdisk; each goes to the offset that is given, in MiB. */
export function partitioned(path: string, script: string, parts: readonly (readonly [number, string])[]): void {
  writeFileSync(path, '');
  truncateSync(path, 400 * mebibyte);
  execFileSync('sfdisk', ['-q', path], { input: script, stdio: ['pipe', 'ignore', 'inherit'] });
  for (const [at, image] of parts)
    execFileSync('dd', [`if=${image}`, `of=${path}`, 'bs=1M', `seek=${at}`, 'conv=notrunc,sparse', 'status=none']);
}

/** The beginning of a LUKS1 container. */
export function luks(path: string): void {
  const head = Buffer.alloc(4 * mebibyte);
  head.write('LUKS\xba\xbe', 'latin1');
  head.writeUInt16BE(1, 6);
  head.write('3f0bd0f1-6c0e-4d0e-9d54-0f6c3c9a7f11', 168);
  writeFileSync(path, head);
}

/** LVM's own CRC (lib/misc/crc.c): the usual polynomial, another seed, and nothing at the end. */
function crc(bytes: Buffer): number {
  let value = 0xf597a6cf;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return value >>> 0;
}

/** The label of an LVM physical volume. */
export function physicalVolume(path: string): void {
  const disk = Buffer.alloc(4 * mebibyte);
  const label = disk.subarray(512, 1024);
  label.write('LABELONE');
  label.writeBigUInt64LE(1n, 8);
  label.writeUInt32LE(32, 20);
  label.write('LVM2 001', 24);
  label.write('a'.repeat(32), 32);
  label.writeUInt32LE(crc(label.subarray(20)), 16);
  writeFileSync(path, disk);
}
