import type { Host } from '@platter/host/door';
import { errno } from '@platter/host/failure';
import { list, lstat, text } from '@platter/host/looks';
import { shellLine } from '@platter/units/shell';
import type { Pool } from '../pool.ts';
import type { Told } from './finding.ts';

/** Where holders of an image could not be seen from here, so that "not in use" is only "not known to be in use". */
export async function blindSpots(pool: Pool): Promise<Told[]> {
  return [...(await hiddenLocks(pool)), ...(await hiddenLoops(pool)), ...(await hiddenProcesses(pool))];
}

const blind = (path: string, message: string, fix: string): Told => ({ code: 'not-in-use-check', path, message, fix });

async function hiddenLocks({ host }: Pool): Promise<Told[]> {
  const path = '/proc/locks';
  if ((await host.query(text(path))) !== null) return [];
  return [blind(path, 'file locks cannot be seen: there is no /proc/locks', 'mount -t proc proc /proc')];
}

/** Loops without a device node here: losetup lists none of them. */
async function hiddenLoops({ host }: Pool): Promise<Told[]> {
  const loops = ((await host.query(list('/sys/block'))) ?? []).filter(({ name }) => /^loop\d+$/.test(name));
  const hidden = await Promise.all(loops.map(({ name }) => withoutNode(host, name)));
  return hidden.filter((one) => one !== null);
}

async function withoutNode(host: Host, name: string): Promise<Told | null> {
  const path = `/dev/${name}`;
  const attached = await host.query(lstat(`/sys/block/${name}/loop/backing_file`));
  if (attached === null || (await host.query(lstat(path))) !== null) return null;
  const [, major, minor] = /^(\d+):(\d+)/.exec((await host.query(text(`/sys/block/${name}/dev`))) ?? '') ?? [];
  if (major === undefined || minor === undefined) return null;
  const fix = shellLine(['mknod', '-m', '0600', path, 'b', major, minor]);
  return blind(path, `${name} is attached, and from here nobody can tell to which file: there is no ${path}`, fix);
}

/** Processes whose open files we may not read. */
async function hiddenProcesses({ host, path: pool }: Pool): Promise<Told[]> {
  const pids = ((await host.query(list('/proc'))) ?? []).filter(({ name }) => /^\d+$/.test(name));
  const unseen = await Promise.all(pids.map(({ name }) => isHidden(host, name)));
  const count = unseen.filter(Boolean).length;
  if (count === 0) return [];
  const again = shellLine(['sudo', 'reflink-pool', 'doctor', '--pool', pool]);
  return [blind('/proc', `what ${count} processes have open cannot be seen by this user`, again)];
}

async function isHidden(host: Host, pid: string): Promise<boolean> {
  try {
    await host.query(list(`/proc/${pid}/fd`));
    return false;
  } catch (error) {
    return ['EACCES', 'EPERM'].includes(errno(error) ?? '');
  }
}
