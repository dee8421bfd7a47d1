import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { run, stat, text } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { signature } from '@platter/host/tools/blkid';
import { bootId } from '@platter/host/tools/boot';

/** The filesystem a directory lies on: what it is, and what tells it from any other also after a restart. */
export interface Filesystem {
  type: string;
  readOnly: boolean;
  fsUuid: string | null;
  fsid: string | null;
  bootId: string | null;
}

interface Mounted {
  source: string;
  fstype: string;
  uuid: string | null;
  options: string;
}

/** Filesystems by device number: each is looked at once in a run. */
export type Filesystems = Map<bigint, Promise<Filesystem>>;

/** The filesystem of a directory on the device `dev`; what could not be told is asked again the next time. */
export function filesystemAt({ host, filesystems }: Sight, dev: bigint, directory: string): Promise<Filesystem> {
  const known = filesystems.get(dev);
  if (known !== undefined) return known;
  const looked = filesystemOf(host, directory);
  filesystems.set(dev, looked);
  looked.catch(() => filesystems.delete(dev));
  return looked;
}

/** A host and what of it is known. */
export interface Sight {
  host: Host;
  filesystems: Filesystems;
}

/** Looks at the filesystem of a directory. On XFS the id of statfs is the device number, which changes: left out. */
async function filesystemOf(host: Host, directory: string): Promise<Filesystem> {
  const mounted = await mountedAt(host, directory);
  const { fstype: type, options } = mounted;
  return {
    type,
    readOnly: options.split(',').includes('ro'),
    fsUuid: mounted.uuid ?? (await uuidOn(host, mounted.source)),
    fsid: type === 'ext4' || type === 'btrfs' ? await fsidOf(host, directory) : null,
    bootId: type === 'tmpfs' ? await bootId(host) : null,
  };
}

async function mountedAt(host: Host, directory: string): Promise<Mounted> {
  const columns = 'TARGET,SOURCE,FSTYPE,UUID,OPTIONS';
  const findmnt = run('findmnt', ['-J', '-T', directory, '-o', columns], { timeout: 10_000 });
  const { stdout } = must(findmnt, await host.query(findmnt));
  try {
    const { filesystems } = JSON.parse(stdout) as { filesystems: Mounted[] };
    const last = filesystems.at(-1);
    if (last !== undefined) return last;
  } catch {}
  throw new Failure('failed', `could not tell the filesystem of ${directory}: findmnt printed no JSON`);
}

/** Null for a device that may not be read, as in a container. btrfs shows a subvolume behind it: `/dev/vdb[/pool]`. */
async function uuidOn(host: Host, source: string): Promise<string | null> {
  const device = source.replace(/\[.*\]$/, '');
  if (!device.startsWith('/') || (await host.query(stat(device)))?.kind !== 'block') return null;
  const found = await signature(host, device).catch((error) => {
    if (error instanceof Failure && error.kind === 'failed') return null;
    throw error;
  });
  return found?.UUID ?? null;
}

async function fsidOf(host: Host, directory: string): Promise<string> {
  const look = run('stat', ['-f', '-c', '%i', '--', directory], { timeout: 10_000 });
  return must(look, await host.query(look)).stdout.trim();
}

type Identity = Pick<Filesystem, 'fsUuid' | 'fsid' | 'bootId'>;

/** The same filesystem: what both sides know is equal, and they both know something. */
export function sameFilesystem(a: Identity, b: Identity): boolean {
  const known = (['fsUuid', 'fsid', 'bootId'] as const).filter((name) => a[name] !== null && b[name] !== null);
  return known.length > 0 && known.every((name) => a[name] === b[name]);
}

/** Refuses filesystems that do not keep a loop's blocks, or not past a restart. */
export function checkFilesystem(directory: string, { type, ...identity }: Filesystem, sparse: boolean): void {
  const kept = ['ext4', 'xfs', 'btrfs'].includes(type) || (type === 'tmpfs' && sparse);
  if (!kept)
    throw new Failure('unsupported', `will not put images on ${type} (${directory})`, {
      hint: type === 'tmpfs' ? '--sparse, or a directory on ext4, XFS or btrfs' : 'a directory on ext4, XFS or btrfs',
    });
  if (identity.fsUuid === null && identity.fsid === null && identity.bootId === null)
    throw new Failure('unsupported', `cannot tell the filesystem of ${directory} from another: it has no UUID`);
  if (identity.readOnly)
    throw new Failure('refused', `will not write to ${directory}: its filesystem is mounted read-only`, {
      hint: `mount -o remount,rw for ${directory}`,
    });
}

/** Bytes free and in all, exact beyond what a number holds to the block. */
export async function roomOf(host: Host, directory: string): Promise<{ free: bigint; total: bigint }> {
  const { free, total } = await host.query({ op: 'space', path: directory });
  return { free: BigInt(free), total: BigInt(total) };
}

/** Whether the kernel has device-mapper; its control node may be there without it. */
export async function hasDeviceMapper(host: Host): Promise<boolean> {
  const misc = await host.query(text('/proc/misc'));
  if (misc === null) throw new Failure('failed', 'could not tell whether there is device-mapper: no /proc/misc');
  return /\bdevice-mapper\b/.test(misc);
}
