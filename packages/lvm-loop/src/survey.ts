import { basename, join } from 'node:path';
import type { Entry, Host } from '@platter/host/door';
import { Failure, Interrupted } from '@platter/host/failure';
import { list, lstat, text } from '@platter/host/looks';
import { loops as allLoops } from '@platter/host/tools/losetup';
import type { Sight } from './filesystem.ts';
import { type Eyes, type Image, lookAt } from './images.ts';
import { imageOf, parseImageName } from './names.ts';
import { deepest } from './roots.ts';
import { parseSidecar, type Sidecar } from './sidecar.ts';

/** A sidecar as it was found; a string says why it cannot be read. */
export interface Found {
  image: string;
  group: string;
  sidecar: Sidecar | string;
}

/** An image we know of but could not look at, or whose sidecar is unreadable. */
export interface Obscure {
  image: string;
  failure: Failure;
}

/** A group as it is: its images by path, and those of which too little is known. */
export interface Group {
  name: string;
  images: readonly Image[];
  unreadable: readonly Obscure[];
  unknown: readonly Obscure[];
}

/** All sidecars in and below the roots: no symlink is followed and no filesystem crossed. */
export async function findSidecars(host: Host, roots: readonly string[]): Promise<Found[]> {
  const found = new Map<string, Found>();
  for (const root of roots) {
    const dev = (await host.query(lstat(root)))?.dev;
    if (dev === undefined) continue;
    for (const image of await walk(host, { directory: root, dev, depth: 0 })) found.set(image, await read(host, image));
  }
  return [...found.values()].sort((a, b) => (a.image < b.image ? -1 : 1));
}

interface Walk {
  directory: string;
  dev: bigint;
  depth: number;
}

async function walk(host: Host, { directory, dev, depth }: Walk): Promise<string[]> {
  const entries = (await host.query(list(directory))) ?? [];
  const images = entries.flatMap(({ name, kind }) => (kind === 'file' ? (imageOf(join(directory, name)) ?? []) : []));
  if (depth === deepest) return images;
  for (const folder of entries.filter(searched)) {
    const path = join(directory, folder.name);
    if ((await host.query(lstat(path)))?.dev !== dev) continue;
    images.push(...(await walk(host, { directory: path, dev, depth: depth + 1 })));
  }
  return images;
}

const searched = ({ name, kind }: Entry) => kind === 'dir' && name !== '.lvm-loop' && name !== 'lost+found';

async function read(host: Host, image: string): Promise<Found> {
  const content = await host.query(text(`${image}.lvm-loop.json`));
  const sidecar = content === null ? 'it is gone' : parseSidecar(content);
  const named = parseImageName(basename(image))?.group ?? basename(image);
  return { image, group: typeof sidecar === 'string' ? named : sidecar.group, sidecar };
}

/** The names of all groups that were found, sorted. */
export const groupNames = (found: readonly Found[]): string[] => [...new Set(found.map(({ group }) => group))].sort();

/** Looks at everything of one group. What could not be told of one image does not hide the others. */
export async function lookAtGroup({ host, filesystems }: Sight, found: readonly Found[], name: string): Promise<Group> {
  const eyes: Eyes = { host, filesystems, loops: await allLoops(host) };
  return groupSeen(eyes, found, name);
}

/** The same with a listing of loops that was read before. */
export async function groupSeen(eyes: Eyes, found: readonly Found[], name: string): Promise<Group> {
  const group = { name, images: [] as Image[], unreadable: [] as Obscure[], unknown: [] as Obscure[] };
  for (const { image, sidecar } of found.filter((one) => one.group === name)) {
    if (typeof sidecar === 'string') group.unreadable.push({ image, failure: badSidecar(image, sidecar) });
    else {
      const seen = await lookAt(eyes, image, sidecar).catch((error) => unknown(error));
      if ('path' in seen) group.images.push(seen);
      else group.unknown.push({ image, failure: seen });
    }
  }
  return group;
}

const badSidecar = (image: string, why: string) =>
  new Failure('corrupt', `cannot read the sidecar of ${image}: ${why}`, {
    hint: `restore ${image}.lvm-loop.json from a backup`,
  });

function unknown(error: unknown): Failure {
  if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
  return error;
}
