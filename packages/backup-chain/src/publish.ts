import { hash } from 'node:crypto';
import type { Call } from '@platter/command/call';
import { create, mkdir, remove, sync } from '@platter/host/changes';
import type { Host, Lock } from '@platter/host/door';
import { lstat } from '@platter/host/looks';
import { createWhole } from '@platter/host/whole';
import { diskPaths, formatName, temporary, type VmPaths } from './layout.ts';
import { manifestText, seal } from './manifest.ts';
import type { BackupSet, Manifest } from './manifest-kinds.ts';
import type { VmFacts } from './repository.ts';

/** A folder that is there afterwards; one that was is left as it is. */
export async function ensureFolder(host: Host, path: string): Promise<void> {
  if ((await host.query(lstat(path))) === null) await host.change(mkdir(path, 0o755));
}

/** The folders of a VM and its lock files. */
export async function ensureVm(host: Host, paths: VmPaths): Promise<void> {
  for (const path of [paths.namespaceFolder, paths.folder]) await ensureFolder(host, path);
  for (const path of [paths.lock, paths.use])
    if ((await host.query(lstat(path))) === null) await host.change(create(path, '', 0o644));
  for (const path of [paths.sets, paths.disks, paths.trash]) await ensureFolder(host, path);
}

/** The VM's lock for a writer, held to the end of the run. */
export const lockVm = (call: Call<unknown>, paths: VmPaths, wait: number): Promise<Lock> =>
  call.host.change({ op: 'lock', path: paths.lock, holder: call.holder, wait });

const placed = (folder: string, name: string) => ({ path: `${folder}/${name}`, temp: `${folder}/${temporary}${name}` });

/** A new manifest, whole or absent. Linking it is the commit. */
export async function publish(host: Host, [folder, name]: readonly [string, string], manifest: object): Promise<void> {
  await createWhole(host, { ...placed(folder, name), data: manifestText(manifest), mode: 0o444 });
}

export interface NewDisk {
  facts: VmFacts;
  disk: string;
  uid: string;
  at: string;
}

/** The disk's folder and its identity, which is made once and never changes. */
export async function ensureDisk(host: Host, { facts, disk, uid, at }: NewDisk): Promise<string> {
  const known = facts.disks.find(({ name }) => name === disk)?.identity.value;
  const paths = diskPaths(facts.paths, disk);
  for (const path of [paths.folder, paths.points, paths.data]) await ensureFolder(host, path);
  if (known) return known.uid;
  await publish(
    host,
    [paths.folder, 'disk.json'],
    seal({ uid, createdAt: at } satisfies Omit<Manifest<'Disk'>, 'self'>),
  );
  return uid;
}

/** A file kept beside a set, by its name and content. */
export interface Attachment {
  name: string;
  bytes: Uint8Array;
}

/** A set's attachments first, then its manifest: the commit. */
export async function publishSet(
  host: Host,
  facts: VmFacts,
  { set, attachments }: { set: Omit<BackupSet, 'attachments' | 'self'>; attachments: readonly Attachment[] },
): Promise<BackupSet> {
  const folder = `${facts.paths.sets}/${set.id}.d`;
  if (attachments.length > 0) await ensureFolder(host, folder);
  for (const { name, bytes } of attachments)
    await createWhole(host, { ...placed(folder, name), data: bytes, mode: 0o444 });
  if (attachments.length > 0) await host.change(sync(facts.paths.sets));
  const listed = attachments.map(({ name, bytes }) => ({ name, sha256: hash('sha256', bytes) }));
  const whole = seal({ ...set, attachments: listed }) as BackupSet;
  await publish(host, [facts.paths.sets, `${set.id}.json`], whole);
  return whole;
}

/** What every manifest of a repository begins with. */
export const heading = <K extends string>(kind: K) => ({
  apiVersion: 'platter.dev/v1' as const,
  kind,
  format: formatName,
});

/** Takes a name away that is there no more than half made. */
export const discard = async (host: Host, path: string): Promise<void> => {
  if (host.dry || (await host.query(lstat(path))) !== null) await host.change(remove(path));
};
