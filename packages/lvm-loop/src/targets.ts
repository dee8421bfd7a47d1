import { dirname, join } from 'node:path';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import { checkFilesystem, type Filesystem, filesystemAt, type Sight } from './filesystem.ts';
import type { Image } from './images.ts';
import { creatingPath, imageName, sidecarPath } from './names.ts';
import { defaultRoot, type Place, placeOf } from './roots.ts';
import type { FileSpec, GroupSpec } from './spec.ts';

/** A wanted file: the image it has, or the place it is to be made at. */
export interface Target {
  spec: FileSpec;
  path: string;
  image: Image | null;
  /** Directories to be made first. */
  missing: readonly string[];
  filesystem: Filesystem;
  dev: bigint;
  /** Size of a temporary that nobody's sidecar knows. */
  stray: number | null;
}

interface Ground extends Sight {
  roots: readonly string[];
  spec: GroupSpec;
}

/** Joins the wanted files with the images there are; what is in the way of a new one is refused. */
export async function targetsOf(ground: Ground, images: readonly Image[]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const file of ground.spec.files) {
    const image = images.find(({ sidecar }) => sidecar.file === file.name);
    targets.push(image === undefined ? await fresh(ground, file) : await kept(ground, file, image));
  }
  return targets;
}

async function kept({ host, roots }: Ground, spec: FileSpec, image: Image): Promise<Target> {
  const { path, filesystem, dev } = image;
  if (spec.directory !== null && (await placeOf(host, roots, spec.directory)).path !== dirname(path))
    throw new Failure('refused', `will not move ${spec.name} to ${spec.directory}: it lies in ${dirname(path)}`);
  checkUuid(spec, filesystem, dirname(path));
  return { spec, path, image, missing: [], filesystem, dev, stray: null };
}

async function fresh({ host, filesystems, roots, spec: group }: Ground, spec: FileSpec): Promise<Target> {
  const all = roots.length === 0 ? [defaultRoot] : roots;
  const place = await placeOf(host, all, spec.directory ?? (all[0] as string));
  const path = join(place.path, imageName(group.scheme, group.name, spec.name));
  const { directory, dev, missing } = await nearest(host, place.path);
  const filesystem = await filesystemAt({ host, filesystems }, dev, directory);
  checkFilesystem(place.path, filesystem, group.sparse);
  checkUuid(spec, filesystem, place.path);
  await checkReached(host, place, dev);
  for (const name of [path, sidecarPath(path)]) await checkFree(host, name);
  return { spec, path, image: null, missing, filesystem, dev, stray: await strayAt(host, creatingPath(path)) };
}

/** The nearest directory that is there, and those below it that are not, the uppermost first. */
async function nearest(host: Host, path: string): Promise<{ directory: string; dev: bigint; missing: string[] }> {
  const found = await host.query(lstat(path));
  if (found !== null && found.kind !== 'dir') throw new Failure('refused', `${path} is no directory`);
  if (found !== null) return { directory: path, dev: found.dev, missing: [] };
  const above = await nearest(host, dirname(path));
  return { ...above, missing: [...above.missing, path] };
}

function checkUuid({ name, fsUuid }: FileSpec, filesystem: Filesystem, directory: string): void {
  if (fsUuid === null || fsUuid === filesystem.fsUuid) return;
  const details = { has: filesystem.fsUuid ?? 'no UUID', wanted: fsUuid };
  const hint = 'mount the filesystem that was meant';
  throw new Failure('refused', `will not put ${name} into ${directory}: it is another filesystem`, { details, hint });
}

/** Images are searched on the filesystem of their root only. */
async function checkReached(host: Host, { path, root }: Place, dev: bigint): Promise<void> {
  const top = await host.query(lstat(root));
  if (top === null || top.dev === dev) return;
  const hint = `--dir ${path}`;
  throw new Failure('refused', `${path} is not on the filesystem of its root ${root}: it would not be found again`, {
    hint,
  });
}

async function checkFree(host: Host, path: string): Promise<void> {
  if ((await host.query(lstat(path))) === null) return;
  const hint = 'choose another name or directory, or move it away';
  throw new Failure('refused', `will not make ${path}: the name is taken by a file that is not ours`, { hint });
}

async function strayAt(host: Host, temp: string): Promise<number | null> {
  const found = await host.query(lstat(temp));
  if (found === null || (found.kind === 'file' && found.size === 0)) return found === null ? null : 0;
  throw new Failure('refused', `${temp} is in the way, and no sidecar says that it is ours`, { hint: 'move it away' });
}
