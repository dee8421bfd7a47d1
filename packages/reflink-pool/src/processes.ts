import type { Host, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, readlink, stat, text } from '@platter/host/looks';
import { sharedMaps } from '@platter/host/tools/proc-maps';
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

/** `device` is the superblock's; null where a mapping does not count. */
type Seeking = Asked & { device: string | null };

/** The last part of a path. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The processes that have an image open for writing, or mapped so, as far as we may see. */
export async function processesWith(host: Host, asked: Seeking): Promise<string[]> {
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

async function processWith(host: Host, pid: string, asked: Seeking): Promise<string | null> {
  if (!(await hasOpen(host, pid, asked)) && !(await seen(() => hasMapped(host, pid, asked)))) return null;
  const command = (await host.query(text(`/proc/${pid}/comm`)))?.trim();
  return `process ${pid}${command ? ` (${command})` : ''}`;
}

async function hasOpen(host: Host, pid: string, asked: Asked): Promise<boolean> {
  for (const { name } of (await host.query(list(`/proc/${pid}/fd`))) ?? [])
    if (await seen(() => isOpen(host, { pid, fd: name }, asked))) return true;
  return false;
}

async function hasMapped(host: Host, pid: string, { image, device }: Seeking): Promise<boolean> {
  if (device === null) return false;
  const maps = sharedMaps((await host.query(text(`/proc/${pid}/maps`))) ?? '');
  return maps.some((map) => map.inode === image.ino && map.device === device);
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
