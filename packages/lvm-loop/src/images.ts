import { dirname, join } from 'node:path';
import type { Host, Stat } from '@platter/host/door';
import { source } from '@platter/host/hold';
import { hold, list, lstat, text } from '@platter/host/looks';
import { type Loop, serves } from '@platter/host/tools/losetup';
import { type Filesystem, filesystemAt, type Sight } from './filesystem.ts';
import { type Label, labelBytes, parseLabel } from './label.ts';
import { creatingPath } from './names.ts';
import type { Sidecar } from './sidecar.ts';

/** All that is known of one image of ours. `path` is where its sidecar lies, whatever the sidecar says. */
export interface Image {
  path: string;
  sidecar: Sidecar;
  /** Device number of the directory. */
  dev: bigint;
  filesystem: Filesystem;
  file: Stat | null;
  /** The image under the name it is made under. */
  temp: Stat | null;
  label: Label;
  /** The loops on the recorded inode of this filesystem. */
  loops: readonly Loop[];
  /** Bytes the first of them has, and the devices that are built on it; null without a loop. */
  loopSize: number | null;
  holders: readonly string[];
}

/** What one look at images needs. */
export interface Eyes extends Sight {
  loops: readonly Loop[];
}

/** Looks at an image; whatever cannot be told throws. */
export async function lookAt({ host, loops, filesystems }: Eyes, path: string, sidecar: Sidecar): Promise<Image> {
  const directory = dirname(path);
  const dev = (await host.query(lstat(directory)))?.dev ?? 0n;
  const filesystem = await filesystemAt({ host, filesystems }, dev, directory);
  const [file, temp] = [await host.query(lstat(path)), await host.query(lstat(creatingPath(path)))];
  const own = loops.filter((loop) => serves(loop, { dev, ino: BigInt(sidecar.ino) }));
  const label = file === null ? 'absent' : await labelOf(host, path, file);
  return { path, sidecar, dev, filesystem, file, temp, label, loops: own, ...(await onLoop(host, own[0])) };
}

async function onLoop(host: Host, loop: Loop | undefined): Promise<Pick<Image, 'loopSize' | 'holders'>> {
  if (loop === undefined) return { loopSize: null, holders: [] };
  const folder = loop.name.replace('/dev/', '/sys/block/');
  const [sectors, holders] = [await host.query(text(`${folder}/size`)), await host.query(list(`${folder}/holders`))];
  return {
    loopSize: sectors === null ? null : Number(sectors) * 512,
    holders: (holders ?? []).map(({ name }) => name),
  };
}

/** The label in the image itself; a file that is no regular one or too short has none. */
async function labelOf(host: Host, path: string, file: Stat): Promise<Label> {
  if (file.kind !== 'file' || file.size < labelBytes) return 'absent';
  const held = await host.query(hold(path));
  try {
    return parseLabel(await source(held).read(0, labelBytes));
  } finally {
    held.close();
  }
}

/** The label an image has now; `absent` where there is no image. */
export async function labelAt(host: Host, path: string): Promise<Label> {
  const file = await host.query(lstat(path));
  return file === null ? 'absent' : labelOf(host, path, file);
}

/** The first place of LVM's own files for a group: beside its first image. */
export function privateDirectory(paths: readonly string[]): string {
  return join(dirname([...paths].sort()[0] as string), '.lvm-loop');
}
