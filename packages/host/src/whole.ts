import { dirname } from 'node:path';
import { create, link, remove, rename, sync } from './changes.ts';
import type { Host } from './door.ts';
import { Interrupted } from './failure.ts';

/** A file to put in place: complete under `temp` (same directory) first, then under its name. */
export interface Whole {
  path: string;
  temp: string;
  data: string | Uint8Array;
  mode: number;
}

/** Replaces or makes a file so that a reader sees the old bytes or the new ones: write, fsync, rename, fsync directory. */
export async function replaceWhole(host: Host, { path, temp, data, mode }: Whole): Promise<void> {
  await host.change(remove(temp));
  try {
    await host.change(create(temp, data, mode));
    await host.change(rename(temp, path));
  } catch (error) {
    await discard(host, temp);
    throw error;
  }
  await host.change(sync(dirname(path)));
}

/** The same for a name that must be free: linked into place, so somebody faster makes it fail with EEXIST. */
export async function createWhole(host: Host, { path, temp, data, mode }: Whole): Promise<void> {
  await host.change(remove(temp));
  try {
    await host.change(create(temp, data, mode));
    await host.change(link(temp, path));
  } finally {
    await discard(host, temp);
  }
  await host.change(sync(dirname(path)));
}

/** Takes a temporary away, also when a signal is delivered at that very change. */
async function discard(host: Host, temp: string): Promise<void> {
  try {
    await host.change(remove(temp));
  } catch (error) {
    if (error instanceof Interrupted) await host.change(remove(temp));
    throw error;
  }
}
