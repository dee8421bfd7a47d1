import { open, truncate, writeFile } from 'node:fs/promises';
import type { Filesystem } from '../ground/probe.ts';
import { type Outcome, run, succeed } from '../ground/run.ts';
import type { Write } from './write-log.ts';

/** A disk image with a filesystem, and the path it is mounted at. */
export interface Disk {
  filesystem: Filesystem;
  image: string;
  mount: string;
}

/** Runs shell lines in the root of a mounted disk. */
export type Shell = (lines: string) => Promise<Outcome>;

/** Options under which a filesystem writes nothing of its own accord before hours have gone. */
export const quiet: Record<Filesystem, string> = {
  xfs: 'noatime',
  btrfs: 'noatime,commit=100000',
  ext4: 'noatime,commit=100000,noinit_itable',
};

/** A fresh filesystem; XFS asks for 300 MiB. */
export async function format({ filesystem, image }: Disk): Promise<void> {
  await writeFile(image, '');
  await truncate(image, 300 * 2 ** 20);
  await succeed([`mkfs.${filesystem}`, '-q', image]);
}

/** The same disk over a copy of its image. */
export async function copied(disk: Disk, image: string): Promise<Disk> {
  await succeed(['cp', '--reflink=auto', '--sparse=always', '--', disk.image, image]);
  return { ...disk, image };
}

/** Makes writes durable on a disk that is not mounted. */
export async function written({ image }: Disk, writes: readonly Write[]): Promise<void> {
  await using file = await open(image, 'r+');
  for (const { at, data } of writes) await file.write(data, 0, data.length, at);
}

/** Uses a disk while it is mounted here. */
export async function onDisk<T>({ filesystem, image, mount }: Disk, use: (shell: Shell) => Promise<T>): Promise<T> {
  await succeed(['mount', '-t', filesystem, '-o', 'loop', '--', image, mount]);
  try {
    return await use((lines) => run(['sh', '-euc', lines], { cwd: mount }));
  } finally {
    await succeed(['umount', '--', mount]);
  }
}
