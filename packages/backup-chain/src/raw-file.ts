import { basename, dirname } from 'node:path';
import type { Call } from '@platter/command/call';
import { create, link, remove, sync, truncate } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, lstat, space } from '@platter/host/looks';
import { formatSize } from '@platter/units/size';
import type { Tally } from './pouring.ts';

/** A new raw file: where it grows, and where it will be. */
export interface NewFile {
  path: string;
  /** What it is grown under; one that a run before left of the same point is gone on with. */
  part: string;
  size: number;
}

/** The place where a file of this point grows. */
export const partOf = (path: string, id: string): string => `${dirname(path)}/.${basename(path)}.${id}.part`;

/** 3 when the filesystem of a path has no room for so many bytes. */
export async function refuseFull({ host }: Call<unknown>, path: string, bytes: number): Promise<void> {
  const { free } = await host.query(space(dirname(path)));
  if (free >= bytes) return;
  throw new Failure('refused', `will not write ${path}: there is not enough space`, {
    details: { free: `${formatSize(free)}, needed ${formatSize(bytes)}` },
  });
}

/** Makes the growing file with its size, or takes the one that is there; `left` says which. */
async function grow({ host }: Call<unknown>, { part, size }: NewFile): Promise<boolean> {
  const found = await host.query(lstat(part));
  if (found !== null && found.kind !== 'file') throw new Failure('refused', `${part} is in the way`);
  if (found === null) await host.change(create(part, '', 0o600));
  if (found?.size !== size) await host.change(truncate(part, size));
  return found !== null;
}

export interface Filling {
  file: NewFile;
  /** Bytes of data that will be written at most. */
  bytes: number;
  fill(target: Held, left: boolean): Promise<Tally>;
  verify(target: Held): Promise<void>;
}

/** Takes the other name of a finished file away, as the run that finished it did not. */
export async function settle(host: Host, { path, part }: Pick<NewFile, 'path' | 'part'>): Promise<void> {
  await host.change(remove(part));
  await host.change(sync(dirname(path)));
}

/** Grows a file beside its name, and gives it the name when it is whole and durable: the commit. */
export async function writeFile(call: Call<unknown>, { file, bytes, fill, verify }: Filling): Promise<Tally> {
  const { host } = call;
  if ((await host.query(lstat(file.part))) === null) await refuseFull(call, file.path, bytes);
  const left = await grow(call, file);
  const target = await host.query(hold(file.part, { write: true, direct: true }));
  try {
    const tally = await fill(target, left);
    await verify(target);
    await host.change(link(file.part, file.path));
    await settle(host, file);
    return tally;
  } catch (error) {
    if (errno(error) === 'ENOSPC') await host.change(remove(file.part));
    throw error;
  } finally {
    target.close();
  }
}
