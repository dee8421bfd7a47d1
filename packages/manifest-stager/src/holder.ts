import type { Host } from '@platter/host/door';
import { list, readlink, realpath, text } from '@platter/host/looks';

/**
 * Who holds a flock on a directory, as far as we may look: no lock file says it, and /proc/locks names the process
 * that took it and not the one that has it. The open file does (proc(5), fdinfo, `lock:`).
 */
export async function holderOf(host: Host, path: string): Promise<string | undefined> {
  const real = await host.query(realpath(path));
  for (const { name: pid } of (await host.query(list('/proc'))) ?? []) {
    if (!/^\d+$/.test(pid) || !(await holds(host, pid, real))) continue;
    const words = (await silently(host.query(text(`/proc/${pid}/cmdline`)))) ?? '';
    return `pid ${pid}: ${words.split('\0').join(' ').trim().slice(0, 120)}`;
  }
  return undefined;
}

async function holds(host: Host, pid: string, path: string | null): Promise<boolean> {
  for (const { name: fd } of (await silently(host.query(list(`/proc/${pid}/fd`)))) ?? []) {
    if ((await silently(host.query(readlink(`/proc/${pid}/fd/${fd}`)))) !== path) continue;
    const info = await silently(host.query(text(`/proc/${pid}/fdinfo/${fd}`)));
    if (info?.includes('FLOCK')) return true;
  }
  return false;
}

/** Processes of others cannot be looked at, and come and go. */
const silently = <T>(look: Promise<T>): Promise<T | null> => look.catch(() => null);
