import { hash } from 'node:crypto';
import { qmp } from '@platter/host/looks';
import { clusterSize } from './layout.ts';
import type { Monitor, Node } from './qemu-monitor.ts';

/** The job and the target node of a disk; QEMU's node names have at most 31 characters. */
export const jobName = (disk: string): string => `platter-${disk}`;
export const targetName = (disk: string): string =>
  disk.length <= 21 ? `platter-t-${disk}` : `platter-t-${hash('sha256', disk).slice(0, 20)}`;

const tell = ({ host, path }: Monitor, execute: string, words: Record<string, unknown>) =>
  host.change(qmp(path, execute, words));

export const addTarget = (monitor: Monitor, name: string, filename: string) =>
  tell(monitor, 'blockdev-add', {
    ...{ driver: 'qcow2', 'node-name': name, discard: 'unmap', backing: null },
    file: { driver: 'file', filename },
  });
export const removeNode = (monitor: Monitor, name: string) => tell(monitor, 'blockdev-del', { 'node-name': name });
export const cancelJob = (monitor: Monitor, id: string) => tell(monitor, 'job-cancel', { id });
export const dismissJob = (monitor: Monitor, id: string) => tell(monitor, 'job-dismiss', { id });
export const removeLiveBitmap = (monitor: Monitor, node: string, name: string) =>
  tell(monitor, 'block-dirty-bitmap-remove', { node, name });

/** One disk of a transaction: pushed whole, or what a bitmap marks; and the bitmap that is started with it. */
export interface Backup {
  disk: string;
  node: Node;
  since: string | null;
  next: string;
}

const actionsOf = ({ disk, node, since, next }: Backup) => [
  {
    type: 'block-dirty-bitmap-add',
    data: { node: node.name, name: next, persistent: node.format === 'qcow2', granularity: clusterSize },
  },
  {
    type: 'blockdev-backup',
    data: {
      ...{ 'job-id': jobName(disk), device: node.name, target: targetName(disk), 'auto-dismiss': false },
      ...(since === null ? { sync: 'full' } : { sync: 'bitmap', bitmap: since, 'bitmap-mode': 'never' }),
    },
  },
];

/** Begins all backups and their new bitmaps at one moment of the guest. */
export const beginBackups = (monitor: Monitor, all: readonly Backup[]) =>
  tell(monitor, 'transaction', { actions: all.flatMap(actionsOf) });
