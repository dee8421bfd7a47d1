import type { Host } from '@platter/host/door';
import { errno } from '@platter/host/failure';
import { list, text } from '@platter/host/looks';
import { type Loop, loops, serves } from '@platter/host/tools/losetup';
import { baseName } from './processes.ts';
import type { Image } from './volume.ts';

/** A loop device over an image. Without `loop` losetup cannot see it from here, and all that is known is that the names of the files are alike. */
export interface Serving {
  name: string;
  loop: Loop | null;
}

/**
 * The loop devices over an image, `byName` only those by a path with this end. In a pod without /dev/loopN losetup lists
 * none, and without the right to open them it cannot tell their files: for those the name alone must do,
 * unless they were detached before losetup looked.
 */
export async function loopsOver(host: Host, image: Image, byName = ''): Promise<Serving[]> {
  const names = ((await host.query(list('/sys/block'))) ?? []).filter(({ name }) => /^loop\d+$/.test(name));
  const backing = await Promise.all(names.map(async ({ name }) => ({ name, file: await backingOf(host, name) })));
  const attached = backing.filter(({ file }) => file !== null);
  const listed = attached.length === 0 ? [] : await loops(host);
  const told = new Set(listed.filter(({ inode }) => inode !== null).map(({ name }) => baseName(name)));
  const sure = listed.filter((loop) => serves(loop, image) && loop.backFile.endsWith(byName));
  const alike = attached.filter(({ name, file }) => !told.has(name) && baseName(file ?? '') === baseName(image.path));
  const left = await Promise.all(alike.map(async ({ name, file }) => (await backingOf(host, name)) === file));
  return [
    ...sure.map((loop) => ({ name: loop.name, loop })),
    ...alike.filter((_, i) => left[i]).map(({ name }) => ({ name: `/dev/${name}`, loop: null })),
  ];
}

/** What sysfs says a loop is over; null for one that is free, or is being detached. */
async function backingOf(host: Host, name: string): Promise<string | null> {
  try {
    const file = await host.query(text(`/sys/block/${name}/loop/backing_file`));
    return file === null ? null : file.trimEnd().replace(/ \(deleted\)$/, '');
  } catch (error) {
    if (errno(error) === 'ENODEV') return null;
    throw error;
  }
}
