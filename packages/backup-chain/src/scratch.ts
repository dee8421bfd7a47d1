import type { Call } from '@platter/command/call';
import { mkdir, remove, removeDir } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, lstat, realpath, run, text } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { parseMounts } from '@platter/host/tools/mountinfo';

/** All that ever lies in a scratch folder; nothing else is taken away. */
export const scratchNames = {
  disk: 'disk.raw',
  partition: 'partition.raw',
  overlay: 'overlay.qcow2',
  export: 'export',
  socket: 'nbd.sock',
} as const;

const pattern = /^\.(drill|restore)-[A-Za-z0-9][A-Za-z0-9._-]{0,127}-[0-9a-f]{8}$/;

const known = new Set<string>(Object.values(scratchNames));

/** A filesystem in user space whose daemon was killed stays mounted, and dead. */
async function unmount({ host, uid }: Call<unknown>, path: string): Promise<void> {
  const mounts = parseMounts((await host.query(text('/proc/self/mountinfo'))) ?? '');
  if (!mounts.some(({ point }) => point === path)) return;
  const program = uid === 0 ? run('umount', ['--', path]) : run('fusermount3', ['-u', '--', path]);
  must(program, await host.change(program));
}

async function empty(call: Call<unknown>, folder: string): Promise<void> {
  const { host } = call;
  await unmount(call, `${folder}/${scratchNames.export}`);
  const there = new Set((await host.query(list(folder)))?.map(({ name }) => name));
  for (const name of known) if (there.has(name)) await host.change(remove(`${folder}/${name}`));
  await host.change(removeDir(folder));
}

/** A lock on a folder of ours; null while its owner lives, or when it is gone. */
async function claim(host: Host, path: string) {
  try {
    return await host.change({ op: 'lock', path });
  } catch (error) {
    if (error instanceof Failure && error.kind === 'busy') return null;
    if ((await host.query(lstat(path))) === null) return null;
    throw error;
  }
}

/** Whether a folder is one that a run of ours made: by its name, its owner, and by all that is in it. */
async function isOurs({ host, uid, warn }: Call<unknown>, path: string): Promise<boolean> {
  if ((await host.query(lstat(path)))?.uid !== uid) return false;
  const foreign = (await host.query(list(path)))?.find(({ name }) => !known.has(name));
  if (foreign !== undefined) warn(`${path} is left alone: ${foreign.name} in it is not ours`);
  return foreign === undefined;
}

/** Takes away the scratch folders in a folder whose owners were killed: they are ours, and nobody holds their locks. */
async function sweep(call: Call<unknown>, parent: string): Promise<void> {
  const { host } = call;
  const found = (await host.query(list(parent))) ?? [];
  for (const { name } of found.filter((one) => one.kind === 'dir' && pattern.test(one.name))) {
    const path = `${parent}/${name}`;
    if (!(await isOurs(call, path))) continue;
    const lock = host.dry ? null : await claim(host, path);
    if (lock === null) continue;
    await empty(call, path);
    lock.release();
  }
}

export interface Place {
  parent: string;
  for: 'drill' | 'restore';
  /** The id of the point. */
  id: string;
}

/** Gives `work` a folder of its own, taken away afterwards with what is in it; also sweeps what killed runs left. */
export async function inScratch<T>(
  call: Call<unknown>,
  place: Place,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  // As the kernel names the mounts in it.
  const parent = (await call.host.query(realpath(place.parent))) ?? place.parent;
  await sweep(call, parent);
  const tail = Buffer.from(call.random(4)).toString('hex');
  const folder = `${parent}/.${place.for}-${place.id}-${tail}`;
  await call.host.change(mkdir(folder, 0o700));
  const lock = await call.host.change({ op: 'lock', path: folder });
  try {
    return await work(folder);
  } finally {
    await empty(call, folder);
    lock.release();
  }
}
