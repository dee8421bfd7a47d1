import type { Program } from '@platter/host/door';
import { run } from '@platter/host/looks';
import { partitionStart } from './partition.ts';
import type { NewDisk } from './wish.ts';

const limit = { timeout: 300_000 };

/** Pinned, so that the e2fsck of an old guest accepts a disk made on a new host. */
const features =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';
const block = 4096;

/** mkfs.ext4 on a file, which it makes and sizes when it is not there; the number of blocks is always said. */
function ext4(path: string, { label, uuid, size, layout }: NewDisk): Program {
  const offset = layout === 'mbr' ? partitionStart : 0;
  const extended = ['lazy_itable_init=1', 'lazy_journal_init=1', 'nodiscard', 'root_owner=0:0'];
  if (offset > 0) extended.push(`offset=${offset}`);
  const identity = ['-L', label, '-U', uuid];
  const words = ['-q', '-F', '-b', String(block), '-m', '1', ...identity, '-O', features, '-E', extended.join(',')];
  return run('mkfs.ext4', [...words, path, String((size - offset) / block)], limit);
}

/** mkfs.xfs on a file that has its size; `nrext64` is a word since xfsprogs 5.19. */
function xfs(path: string, { label, uuid }: NewDisk, version: readonly number[]): Program {
  const [major = 0, minor = 0] = version;
  const extents = major > 5 || (major === 5 && minor >= 19) ? ['-i', 'nrext64=0'] : [];
  const words = ['-q', '-f', '-L', label, '-m', `uuid=${uuid},bigtime=0,inobtcount=0`, ...extents, path];
  return run('mkfs.xfs', words, limit);
}

/** The program that makes the wanted filesystem. `xfsVersion` as mkfs.xfs told it. */
export const mkfs = (path: string, disk: NewDisk, xfsVersion: readonly number[] = []): Program =>
  disk.fs === 'ext4' ? ext4(path, disk) : xfs(path, disk, xfsVersion);

export const xfsVersionProgram: Program = run('mkfs.xfs', ['-V']);

/** The numbers of `mkfs.xfs version 6.1.0`. */
export const parseXfsVersion = (stdout: string): number[] =>
  (/version (\d+(?:\.\d+)*)/.exec(stdout)?.[1] ?? '').split('.').map(Number);
