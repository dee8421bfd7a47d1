import type { EntryKind, Host } from '@platter/host/door';
import { bytes, list, lstat } from '@platter/host/looks';
import { fileOf, type Mode, modes, nameOf, naturally, writerOf } from './manifest.ts';
import { checkRoot, folderOf, missing, notPlain, type Place, under } from './place.ts';

/** One staged manifest. `path` is as seen below the root. */
export interface Manifest {
  name: string;
  mode: Mode;
  path: string;
  content: Uint8Array;
  /** Nanoseconds since the epoch. */
  mtimeNs: bigint;
}

/** What bears a name in one mode: a manifest, nothing (confirmed), or what is no plain file. */
export type Found = Manifest | null | { path: string; kind: Exclude<EntryKind, 'file'> };
export type Both = Readonly<Record<Mode, Found>>;

/** The folder of a mode when it is there, every directory on the way to it checked. */
export async function folder(host: Host, place: Place, mode: Mode): Promise<string | null> {
  const path = folderOf(place, mode);
  return (await missing(host, place.root, path)).length === 0 ? path : null;
}

/** What bears a name in both modes, freshly read. What cannot be looked at is a failure, never an absence. */
export async function find(host: Host, place: Place, name: string): Promise<Both> {
  await checkRoot(host, place);
  const at = async (mode: Mode) => {
    const path = await folder(host, place, mode);
    return path === null ? null : read(host, place, { mode, name, path: `${path}/${fileOf(name)}` });
  };
  return { 'every-boot': await at('every-boot'), 'first-boot': await at('first-boot') };
}

async function read(host: Host, { root }: Place, file: Pick<Manifest, 'mode' | 'name' | 'path'>): Promise<Found> {
  const { path } = file;
  const found = await host.query(lstat(under(root, path)));
  if (found === null) return null;
  if (found.kind !== 'file') return { path, kind: found.kind };
  const content = await host.query(bytes(under(root, path)));
  return content && { ...file, content, mtimeNs: found.mtimeNs };
}

/** Everything in both folders: the manifests in natural order, and the paths of what is none and no temporary of ours. */
export async function survey(host: Host, place: Place): Promise<{ manifests: Manifest[]; strays: string[] }> {
  await checkRoot(host, place);
  const manifests: Manifest[] = [];
  const strays: string[] = [];
  for (const mode of modes)
    for (const file of await files(host, place, mode)) {
      const found = file.name === undefined ? null : await read(host, place, { ...file, mode, name: file.name });
      if (found !== null && 'content' in found) manifests.push(found);
      else if (found !== null) throw notPlain(under(place.root, found.path), found.kind, 'file');
      else if (file.name === undefined) strays.push(file.path);
    }
  return { manifests: manifests.sort((a, b) => naturally(a.name, b.name)), strays };
}

async function files(host: Host, place: Place, mode: Mode): Promise<{ name: string | undefined; path: string }[]> {
  const path = await folder(host, place, mode);
  const entries = path === null ? null : await host.query(list(under(place.root, path)));
  const ours = (entries ?? []).filter((entry) => writerOf(entry.name) === undefined);
  return ours.map((entry) => ({ name: nameOf(entry.name), path: `${path}/${entry.name}` }));
}
