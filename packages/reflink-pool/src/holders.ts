import { majorMinor } from '@platter/host/device';
import type { Host } from '@platter/host/door';
import { realpath, text } from '@platter/host/looks';
import { type Mount, parseMounts } from '@platter/host/tools/mountinfo';
import { fileLocks, writtenByQemu } from '@platter/host/tools/proc-locks';
import { loopsOver } from './loops.ts';
import { type Asked, processesWith } from './processes.ts';
import type { Image } from './volume.ts';

/** Who uses an image: loop devices, file locks and processes that have it open for writing, as far as we may see. */
export async function holdersOf(host: Host, asked: Asked): Promise<string[]> {
  const device = asked.byName === undefined ? await deviceOf(host, asked.image) : null;
  const [attached, locked, open] = await Promise.all([
    attachedTo(host, asked),
    device === null ? [] : locksOn(host, asked, device),
    processesWith(host, { ...asked, device }),
  ]);
  const [known] = open;
  return [...attached, ...(known === undefined ? locked : []), ...open];
}

async function attachedTo(host: Host, { image, byName, writing }: Asked): Promise<string[]> {
  const found = (await loopsOver(host, image, byName)).filter(({ loop }) => !(writing && loop?.readOnly));
  return found.map(({ name, loop }) =>
    loop === null ? `perhaps loop device ${name} (losetup cannot tell from here)` : `loop device ${name}`,
  );
}

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
