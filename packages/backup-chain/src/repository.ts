import { isDeepStrictEqual } from 'node:util';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, lstat, text } from '@platter/host/looks';
import { quote } from '@platter/units/shell';
import type { Place } from './address.ts';
import {
  type DiskPaths,
  diskPaths,
  isTemporary,
  pointName,
  repoFile,
  type VmPaths,
  vmPaths,
  vmsFolder,
} from './layout.ts';
import { type Fault, readManifest } from './manifest.ts';
import type { Kind, Manifest, Point, Repository } from './manifest-kinds.ts';

/** A repository by its folder and its identity. */
export interface Repo {
  root: string;
  id: string;
}

/** A file that should be a manifest: what it holds, or why it holds none. */
export interface Leaf<T> {
  name: string;
  path: string;
  value: T | null;
  fault: Fault | null;
}

/** What lies at a name in `data/`, itself and not what a link points to. */
export interface DataFile {
  name: string;
  kind: string;
  size: number;
  nlink: number;
}

export interface DiskFacts {
  name: string;
  paths: DiskPaths;
  identity: Leaf<Manifest<'Disk'>>;
  points: Leaf<Point>[];
  data: DataFile[];
  /** Paths of half-made files. */
  temporaries: string[];
}

/** One VM of a repository as it lies on the disk. */
export interface VmFacts {
  repo: Repo;
  namespace: string;
  vm: string;
  paths: VmPaths;
  disks: DiskFacts[];
  sets: Leaf<Manifest<'BackupSet'>>[];
  /** Folders of sets' attachments, by name. */
  attachments: string[];
  pins: Leaf<Manifest<'Pin'>>[];
  temporaries: string[];
}

/** Opens the repository at a folder: 3 when there is none, 5 or 6 when its manifest is not one of ours. */
export async function openRepository(host: Host, root: string): Promise<Repo> {
  const content = await host.query(text(repoFile(root)));
  const hint = `backup-chain init --repo ${root}`;
  if (content === null) throw new Failure('refused', `${root} is not a repository`, { hint });
  const { value, fault } = readManifest('Repository', content);
  if (fault !== null) throw new Failure(fault.code, `${repoFile(root)}: ${fault.message}`, { hint: restoreLoose });
  refuseFeatures(value);
  return { root, id: value.id };
}

export const restoreLoose =
  'backup-chain restore --files FULL INCREMENT... --to TARGET restores what is there, unproven';

/** More files than a line should name. */
const manyFiles = 8;

/** The way out of a damaged chain: by its own files, where they are known down to the full and few enough to be named. */
export function wayOutOf({ paths }: DiskFacts, links: readonly Point[]): string {
  if (links[0]?.type !== 'full' || links.length > manyFiles) return restoreLoose;
  const files = links.map(({ data }) => quote(`${paths.data}/${data.file}`)).join(' ');
  return `backup-chain restore --files ${files} --to TARGET restores what is there, unproven`;
}

function refuseFeatures({ features }: Repository): void {
  if (features.length === 0) return;
  throw new Failure('unsupported', `the repository uses features this program does not know: ${features.join(', ')}`);
}

/** The folder's entries; a folder that is not there has none. */
const entries = async (host: Host, path: string) => (await host.query(list(path))) ?? [];

/** Reads one manifest; what it holds, or why it holds none. */
export async function leaf<K extends Kind>(host: Host, path: string, kind: K): Promise<Leaf<Manifest<K>>> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const found = await host.query(lstat(path));
  if (found !== null && found.kind !== 'file') return broken(path, name, 'it is not a regular file');
  const content = await host.query(text(path));
  if (content === null) return broken(path, name, 'it is missing');
  return { name, path, ...readManifest(kind, content) };
}

/** A leaf that holds no manifest, and why. */
export const broken = (path: string, name: string, message: string) => ({
  path,
  name,
  value: null,
  fault: { code: 'corrupt' as const, message },
});

/** The manifests of one kind in a folder, those that cannot be read too. */
export async function leaves<K extends Kind>(host: Host, folder: string, kind: K): Promise<Leaf<Manifest<K>>[]> {
  const names = (await entries(host, folder)).map(({ name }) => name);
  const manifests = names.filter((name) => name.endsWith('.json') && !isTemporary(name));
  return Promise.all(manifests.map((name) => leaf(host, `${folder}/${name}`, kind)));
}

async function temporariesIn(host: Host, folder: string): Promise<string[]> {
  const found = await entries(host, folder);
  return found.filter(({ name }) => isTemporary(name)).map(({ name }) => `${folder}/${name}`);
}

/** A manifest under another name than its own sequence and id was moved there. */
function rightlyNamed(point: Leaf<Point>): Leaf<Point> {
  const { name, path, value } = point;
  if (value === null || name === pointName(value.sequence, value.id)) return point;
  return broken(path, name, `it is the manifest of ${value.id}, sequence ${value.sequence}`);
}

async function dataFiles(host: Host, folder: string): Promise<DataFile[]> {
  const names = (await entries(host, folder)).map(({ name }) => name).filter((name) => !isTemporary(name));
  const found = await Promise.all(
    names.map(async (name) => ({ name, ...(await host.query(lstat(`${folder}/${name}`))) })),
  );
  return found.map(({ name, kind = 'nothing', size = 0, nlink = 0 }) => ({ name, kind, size, nlink }));
}

/** Reads a disk until its points are the same ones afterwards: what is read while they move is no state it was in. */
async function readDisk(host: Host, vm: VmPaths, name: string): Promise<DiskFacts> {
  const { points } = diskPaths(vm, name);
  for (let before = await entries(host, points); ; ) {
    const disk = await readDiskOnce(host, vm, name);
    const after = await entries(host, points);
    if (isDeepStrictEqual(after, before)) return disk;
    before = after;
  }
}

async function readDiskOnce(host: Host, vm: VmPaths, name: string): Promise<DiskFacts> {
  const paths = diskPaths(vm, name);
  const folders = [paths.folder, paths.points, paths.data];
  const [identity, points, data, ...temporaries] = await Promise.all([
    leaf(host, paths.identity, 'Disk'),
    leaves(host, paths.points, 'BackupPoint'),
    dataFiles(host, paths.data),
    ...folders.map((folder) => temporariesIn(host, folder)),
  ]);
  return { name, paths, identity, points: points.map(rightlyNamed), data, temporaries: temporaries.flat() };
}

/** Everything that lies in a VM's folder, except data; what cannot be read says why. A VM that is not there is empty. */
export async function readVm(
  host: Host,
  repo: Repo,
  { namespace, vm }: Pick<Place, 'namespace' | 'vm'>,
): Promise<VmFacts> {
  const paths = vmPaths(repo.root, { namespace, vm });
  const [names, sets, folders, pins, ...temporaries] = await Promise.all([
    entries(host, paths.disks),
    leaves(host, paths.sets, 'BackupSet'),
    entries(host, paths.sets),
    leaves(host, paths.pins, 'Pin'),
    ...[paths.folder, paths.sets, paths.pins].map((folder) => temporariesIn(host, folder)),
  ]);
  const disks = await Promise.all(
    names
      .filter(({ kind, name }) => kind === 'dir' && !isTemporary(name))
      .map(({ name }) => readDisk(host, paths, name)),
  );
  const attachments = folders.filter(({ kind, name }) => kind === 'dir' && name.endsWith('.d')).map(({ name }) => name);
  return { repo, namespace, vm, paths, disks, sets, attachments, pins, temporaries: temporaries.flat() };
}

/** The VMs of a repository, in byte order. */
export async function listVms(host: Host, repo: Repo): Promise<Pick<Place, 'namespace' | 'vm'>[]> {
  const folders = (await entries(host, vmsFolder(repo.root))).filter(({ kind }) => kind === 'dir');
  const vms = await Promise.all(
    folders.map(async ({ name: namespace }) => {
      const found = (await entries(host, `${vmsFolder(repo.root)}/${namespace}`)).filter(({ kind }) => kind === 'dir');
      return found.map(({ name: vm }) => ({ namespace, vm }));
    }),
  );
  return vms.flat();
}
