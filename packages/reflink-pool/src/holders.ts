import { majorMinor } from '@platter/host/device';
import type { Host } from '@platter/host/door';
import { errno } from '@platter/host/failure';
import { list, realpath, text } from '@platter/host/looks';
import { type Loop, listing, loops, serves } from '@platter/host/tools/losetup';
import { type Mount, parseMounts } from '@platter/host/tools/mountinfo';
import { fileLocks, writtenByQemu } from '@platter/host/tools/proc-locks';
import { type Asked, baseName, processesWith } from './processes.ts';
import type { Image } from './volume.ts';

/** Who uses an image: loop devices, file locks and processes that have it open for writing, as far as we may see. */
export async function holdersOf(host: Host, asked: Asked): Promise<string[]> {
  const device = asked.byName === undefined ? await deviceOf(host, asked.image) : null;
  const [attached, locked, open] = await Promise.all([
    loopsOver(host, asked),
    device === null ? [] : locksOn(host, asked, device),
    processesWith(host, { ...asked, device }),
  ]);
  const [known] = open;
  return [...attached, ...(known === undefined ? locked : []), ...open];
}

/**
 * losetup when sysfs knows any loop. In a pod without /dev/loopN it lists none, and without the right to open them it
 * cannot tell their files: for those the name alone must do.
 */
async function loopsOver(host: Host, { image, byName, writing }: Asked): Promise<string[]> {
  const names = ((await host.query(list('/sys/block'))) ?? []).filter(({ name }) => /^loop\d+$/.test(name));
  const backing = await Promise.all(names.map(async ({ name }) => ({ name, file: await backingOf(host, name) })));
  const attached = backing.filter(({ file }) => file !== null);
  if (attached.length === 0) return [];
  const listed = await loops(host);
  const told = new Set(listed.filter(({ inode }) => inode !== null).map(({ name }) => baseName(name)));
  const users = listed.filter((loop) => isOver(loop, image, byName) && !(writing && loop.readOnly));
  const alike = attached.filter(({ name, file }) => !told.has(name) && baseName(file ?? '') === baseName(image.path));
  return [
    ...users.map(({ name }) => `loop device ${name}`),
    ...alike.map(({ name }) => `perhaps loop device ${name} (${listing.program} cannot tell from here)`),
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

const isOver = (loop: Loop, image: Image, byName = '') => serves(loop, image) && loop.backFile.endsWith(byName);

/** The device of the filesystem as /proc/locks spells it: the superblock's, which on btrfs is not what stat says. */
function superblock(mounts: readonly Mount[], path: string): string | null {
  const below = ({ point }: Mount) => point === '/' || path === point || path.startsWith(`${point}/`);
  return mounts.filter(below).reduce<Mount | null>((best, mount) => longer(best, mount), null)?.device ?? null;
}

/** Of two mounts over one point the later one counts. */
const longer = (best: Mount | null, mount: Mount) =>
  best === null || mount.point.length >= best.point.length ? mount : best;

async function deviceOf(host: Host, { path, dev }: Image): Promise<string> {
  const [mountinfo, real] = await Promise.all([host.query(text('/proc/self/mountinfo')), host.query(realpath(path))]);
  return superblock(parseMounts(mountinfo ?? ''), real ?? path) ?? majorMinor(dev);
}

async function locksOn(host: Host, { image: { ino }, writing }: Asked, device: string): Promise<string[]> {
  const locks = (await fileLocks(host)).filter(
    (lock) => lock.inode === ino && `${lock.major}:${lock.minor}` === device,
  );
  const counting = writing ? locks.filter((lock) => lock.mode === 'WRITE' || writtenByQemu([lock], ino)) : locks;
  const pids = [...new Set(counting.map(({ pid }) => pid))];
  return pids.map((pid) => (pid > 0 ? `a file lock of process ${pid}` : 'a file lock of another process'));
}
