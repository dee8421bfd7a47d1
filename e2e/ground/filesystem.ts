import { mkdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Folder, tempFolder } from './folder.ts';
import { detach, loops, majorMinor } from './loops.ts';
import type { Filesystem, GroundName } from './probe.ts';
import { succeed } from './run.ts';

/** Mounts an image so that its loop goes with the mount, also when the mount goes with its namespace. */
async function mount(image: string, at: string): Promise<void> {
  const device = (await succeed(['losetup', '--find', '--show', '--', image])).trim();
  try {
    await succeed(['mount', '--', device, at]);
  } finally {
    await detach((await loops()).filter((loop) => loop.device === device));
  }
}

/** A fresh filesystem on a sparse image of `size` bytes (XFS needs 300 MiB, btrfs 109 MiB), made with more words for mkfs, mounted until disposed. */
export async function mounted(
  filesystem: Filesystem,
  size = 512 * 2 ** 20,
  words: readonly string[] = [],
): Promise<Folder> {
  const folder = await tempFolder();
  const [image, path] = [join(folder.path, 'image'), join(folder.path, 'mnt')];
  try {
    await writeFile(image, '');
    await truncate(image, size);
    await succeed([`mkfs.${filesystem}`, '-q', ...words, image]);
    await mkdir(path);
    await mount(image, path);
    await writeFile(join(folder.path, 'dev'), majorMinor((await stat(path)).dev));
  } catch (cause) {
    await folder[Symbol.asyncDispose]();
    throw cause;
  }
  return { path, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

/** The ground that a list of needs describes: a filesystem of the first kind it names, otherwise a temporary folder. */
export function standOn(needs: readonly GroundName[], size?: number): Promise<Folder> {
  const kind = needs.find((name): name is Filesystem => name === 'xfs' || name === 'btrfs' || name === 'ext4');
  return kind ? mounted(kind, size) : tempFolder();
}
