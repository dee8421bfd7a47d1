import { majorMinor } from '@platter/host/device';
import type { Entry, Host, Stat } from '@platter/host/door';
import { list, lstat, space, stat, text } from '@platter/host/looks';
import { type Loop, loops, serves } from '@platter/host/tools/losetup';
import { parseMounts } from '@platter/host/tools/mountinfo';
import { type FileLock, fileLocks, writtenByQemu } from '@platter/host/tools/proc-locks';

const btrfsMagic = 0x9123683e;

/** The locks that can be on a file; btrfs gives its files another device number than /proc/locks shows. */
async function locksOn(host: Host, path: string, file: Stat): Promise<FileLock[]> {
  const same = (await fileLocks(host)).filter(({ inode }) => inode === file.ino);
  const here = same.filter(({ major, minor }) => `${major}:${minor}` === majorMinor(file.dev));
  if (here.length === same.length) return same;
  return (await host.query(space(path))).type === btrfsMagic ? same : here;
}

/** Which VM has the image open for writing, in words; null when none has. */
export async function writer(host: Host, path: string, file: Stat): Promise<string | null> {
  if (!writtenByQemu(await locksOn(host, path, file), file.ino)) return null;
  const process = await opener(host, file);
  return `a running VM writes to it${process === null ? '' : ` (${process})`}`;
}

/** The first process found with the file open, as `pid 4121 qemu-system-x86`; processes of others stay unseen. */
async function opener(host: Host, file: Stat): Promise<string | null> {
  for (const { name } of (await host.query(list('/proc'))) ?? []) {
    if (!/^\d+$/.test(name) || !(await opens(host, name, file))) continue;
    return `pid ${name} ${((await host.query(text(`/proc/${name}/comm`))) ?? '').trim()}`;
  }
  return null;
}

async function opens(host: Host, pid: string, { dev, ino }: Stat): Promise<boolean> {
  const unreadable = (): Entry[] => [];
  const fds = (await host.query(list(`/proc/${pid}/fd`)).catch(unreadable)) ?? [];
  for (const { name } of fds) {
    const open = await host.query(stat(`/proc/${pid}/fd/${name}`)).catch(() => null);
    if (open?.dev === dev && open.ino === ino) return true;
  }
  return false;
}

/** losetup is asked only where the kernel shows an attached loop at all. */
async function attachedLoops(host: Host): Promise<Loop[]> {
  for (const { name } of (await host.query(list('/sys/block'))) ?? [])
    if (name.startsWith('loop') && (await host.query(lstat(`/sys/block/${name}/loop`))) !== null) return loops(host);
  return [];
}

/** A loop whose file could not be told counts as ours when the file's name is the same. */
const mayServe = (loop: Loop, path: string, file: Stat): boolean =>
  loop.inode === null ? baseOf(loop.backFile) === baseOf(path) : serves(loop, file);
const baseOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** Where a block device is mounted, in words. */
async function mounted(host: Host, device: bigint): Promise<string | null> {
  const mounts = parseMounts((await host.query(text('/proc/self/mountinfo'))) ?? '');
  const found = mounts.find((mount) => mount.device === majorMinor(device));
  return found === undefined ? null : `mounted at ${found.point}`;
}

/** The loop device that serves the file, in words; null when none does. */
async function server(host: Host, path: string, file: Stat): Promise<string | null> {
  const loop = (await attachedLoops(host)).find((one) => mayServe(one, path, file));
  if (loop === undefined) return null;
  const device = await host.query(stat(loop.name));
  const where = device === null ? null : await mounted(host, device.rdev);
  return `it is attached as ${loop.name}${where === null ? '' : `, which is ${where}`}`;
}

/** Who keeps a file in use, in words; null when nobody binding was found. A block device is claimed by who opens it. */
export async function holder(host: Host, path: string, file: Stat): Promise<string | null> {
  return (await writer(host, path, file)) ?? (file.kind === 'block' ? null : server(host, path, file));
}
