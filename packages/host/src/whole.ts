import { dirname } from 'node:path';
import { create, link, remove, rename, sync } from './changes.ts';
import type { Host } from './door.ts';

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
  await host.change(create(temp, data, mode));
  await host.change(rename(temp, path));
  await host.change(sync(dirname(path)));
}

/** The same for a name that must be free: linked into place, so somebody faster makes it fail with EEXIST. */
export async function createWhole(host: Host, { path, temp, data, mode }: Whole): Promise<void> {
  await host.change(remove(temp));
  await host.change(create(temp, data, mode));
  try {
    await host.change(link(temp, path));
  } finally {
    await host.change(remove(temp));
  }
  await host.change(sync(dirname(path)));
}
