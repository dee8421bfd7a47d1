import { closeSync, openSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from './run.ts';

/** An attached loop device and what it is over. Its identity is `backing`; the path is the one of the place it was attached in. */
export interface Loop {
  device: string;
  path: string;
  /** Device number of the filesystem that the file lies on, `major:minor`. */
  filesystem: string;
  /** `major:minor inode` of the file. */
  backing: string;
}

/** The last two are null for a device that is being detached while it is listed. */
type Listed = Record<'name' | 'back-file', string> & { 'back-maj:min': string | null; 'back-ino': number | null };

/** Every loop device of this machine; none can be seen, and none made, without root. */
export async function loops(): Promise<Loop[]> {
  if (process.getuid?.() !== 0) return [];
  const json = await succeed(['losetup', '--list', '--json', '--output', 'NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN']);
  const listed: Listed[] = json === '' ? [] : JSON.parse(json).loopdevices;
  return listed.flatMap(({ name, 'back-file': path, 'back-maj:min': device, 'back-ino': inode }) => {
    const filesystem = device?.trim();
    return filesystem === undefined ? [] : [{ device: name, path, filesystem, backing: `${filesystem} ${inode}` }];
  });
}

/** `major:minor` of a device number (gnu_dev_major(3)). */
export const majorMinor = (dev: number): string => {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  return `${major}:${(number & 0xffn) | ((number >> 12n) & ~0xffn)}`;
};

/** A file as loops name what they are over; undefined when it is gone. */
export async function backing(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found && `${majorMinor(found.dev)} ${found.ino}`;
}

/** The loops over files in a folder, and over files that were removed from it. */
export async function loopsIn(dir: string): Promise<Loop[]> {
  const attached = await loops();
  if (attached.length === 0) return [];
  const paths = await readdir(dir, { recursive: true });
  const ours = new Set(await Promise.all(paths.map((path) => backing(join(dir, path)))));
  const removed = ({ path }: Loop): boolean => path.startsWith(`${dir}/`) && path.endsWith(' (deleted)');
  return attached.filter((loop) => ours.has(loop.backing) || removed(loop));
}

/** Detaches loops that were found just before; one that is in use goes with its last user. */
export async function detach(found: readonly Loop[]): Promise<void> {
  for (const { device } of found) await succeed(['losetup', '--detach', device]);
}

export interface LoopDevice {
  device: string;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LoopOptions {
  sectorSize?: 512 | 4096;
  /** Past the page cache of the file's filesystem. */
  directIo?: boolean;
}

/** A loop device over a file, gone with us at the latest: the kernel clears it when our open descriptor closes. */
export async function attach(
  file: string,
  { sectorSize = 512, directIo = false }: LoopOptions = {},
): Promise<LoopDevice> {
  const flags = ['--sector-size', `${sectorSize}`, `--direct-io=${directIo ? 'on' : 'off'}`];
  const device = (await succeed(['losetup', '--find', '--show', ...flags, '--', file])).trim();
  const fd = openSync(device, 'r');
  await succeed(['losetup', '--detach', device]);
  return { device, [Symbol.asyncDispose]: async () => closeSync(fd) };
}
