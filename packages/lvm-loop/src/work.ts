import type { Undo } from '@platter/host/undo';
import type { Filesystem } from './filesystem.ts';
import type { Sidecar } from './sidecar.ts';
import type { Reserve } from './space.ts';

/** One file on its way: what is known of it so far. */
export interface Work {
  path: string;
  dev: bigint;
  filesystem: Filesystem;
  reserve: Reserve;
  /** For a new file: complete but for the inode, which is known once the file is there. */
  sidecar: Sidecar;
  device: string | null;
  /** Where LVM keeps the archive of the whole group. */
  directory: string;
  /** How to take back what this run made. */
  undo: Undo;
  /** The devices of the whole group, for what LVM must see together. */
  peers(): string[];
}

/** The device of a file whose plan has attached it by now. */
export function deviceOf({ device, path }: Work): string {
  if (device === null) throw new Error(`${path} is on no loop`);
  return device;
}
