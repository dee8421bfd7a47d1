import { majorMinor } from '@platter/host/device';
import type { Host, Stat } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { list, readlink, realpath, stat, text } from '@platter/host/looks';
import { type Loop, listing, loops, serves } from '@platter/host/tools/losetup';
import { type Mount, parseMounts } from '@platter/host/tools/mountinfo';
import { fileLocks, writtenByQemu } from '@platter/host/tools/proc-locks';
import type { Image } from './volume.ts';

export interface Asked {
  image: Image;
  /** Our own process, which holds nothing. */
  pid: number;
  /** Only who has it open by a path with this end, writing or not: for an image that other volumes name too. */
  byName?: string;
  /** Leaves out who surely only reads. */
  writing?: boolean;
}

/** Who uses an image: loop devices, file locks and processes that have it open for writing, as far as we may see. */
export async function holdersOf(host: Host, asked: Asked): Promise<string[]> {
  const [attached, locked, open] = await Promise.all([
    loopsOver(host, asked),
    asked.byName ? [] : locksOn(host, asked),
    processesWith(host, asked),
  ]);
  const [known] = open;
  return [...attached, ...(known === undefined ? locked : []), ...open];
}

const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** losetup when sysfs knows any loop; in a pod without /dev/loopN it lists none, and then names alone must do. */
async function loopsOver(host: Host, { image, byName, writing }: Asked): Promise<string[]> {
  const names = ((await host.query(list('/sys/block'))) ?? []).filter(({ name }) => /^loop\d+$/.test(name));
  const backing = await Promise.all(names.map(async ({ name }) => ({ name, file: await backingOf(host, name) })));
  const attached = backing.filter(({ file }) => file !== null);
  if (attached.length === 0) return [];
  const listed = await loops(host);
  if (listed.length > 0)
    return listed
      .filter((loop) => isOver(loop, image, byName) && !(writing && loop.readOnly))
      .map(({ name }) => `loop device ${name}`);
  const alike = attached.filter(({ file }) => baseName(file?.trim() ?? '') === baseName(image.path));
  return alike.map(({ name }) => `perhaps loop device ${name} (${listing.program} cannot see it from here)`);
}

/** What sysfs says a loop is over; null for one that is free, or is being detached. */
async function backingOf(host: Host, name: string): Promise<string | null> {
  try {
    return await host.query(text(`/sys/block/${name}/loop/backing_file`));
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

async function locksOn(host: Host, { image: { path, dev, ino }, writing }: Asked): Promise<string[]> {
  const [mountinfo, real] = await Promise.all([host.query(text('/proc/self/mountinfo')), host.query(realpath(path))]);
  const device = superblock(parseMounts(mountinfo ?? ''), real ?? path) ?? majorMinor(dev);
  const locks = (await fileLocks(host)).filter(
    (lock) => lock.inode === ino && `${lock.major}:${lock.minor}` === device,
  );
  const counting = writing ? locks.filter((lock) => lock.mode === 'WRITE' || writtenByQemu([lock], ino)) : locks;
  const pids = [...new Set(counting.map(({ pid }) => pid))];
  return pids.map((pid) => (pid > 0 ? `a file lock of process ${pid}` : 'a file lock of another process'));
}

async function processesWith(host: Host, asked: Asked): Promise<string[]> {
  const pids = ((await host.query(list('/proc'))) ?? []).filter(({ name }) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.filter(({ name }) => name !== String(asked.pid)).map(({ name }) => seen(() => processWith(host, name, asked))),
  );
  return found.filter((name) => name !== null);
}

/** What we may not read of others' processes is left out; so is a process that ends meanwhile. */
async function seen<T>(look: () => Promise<T | null>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Failure && error.kind === 'failed') return null;
    throw error;
  }
}

async function processWith(host: Host, pid: string, asked: Asked): Promise<string | null> {
  for (const { name } of (await host.query(list(`/proc/${pid}/fd`))) ?? []) {
    if (!(await seen(() => isOpen(host, { pid, fd: name }, asked)))) continue;
    const command = (await host.query(text(`/proc/${pid}/comm`)))?.trim();
    return `process ${pid}${command ? ` (${command})` : ''}`;
  }
  return null;
}

/** The link's last part is compared first: it follows renames, and spares a look at every open file of the machine. */
async function isOpen(
  host: Host,
  { pid, fd }: { pid: string; fd: string },
  { image, byName }: Asked,
): Promise<boolean> {
  const link = await host.query(readlink(`/proc/${pid}/fd/${fd}`));
  if (link === null || baseName(link.replace(/ \(deleted\)$/, '')) !== baseName(image.path)) return false;
  const found: Stat | null = await host.query(stat(`/proc/${pid}/fd/${fd}`));
  if (found === null || found.dev !== image.dev || found.ino !== image.ino) return false;
  if (byName !== undefined) return link.endsWith(byName);
  return writes(await host.query(text(`/proc/${pid}/fdinfo/${fd}`)));
}

/** Open flags in fdinfo are octal; the lowest two bits are O_WRONLY and O_RDWR. */
const writes = (fdinfo: string | null) =>
  (Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(fdinfo ?? '')?.[1] ?? '0', 8) & 3) !== 0;
