import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Part, signature } from '@platter/host/tools/blkid';
import { type Partition, partitionsOf } from './sfdisk.ts';

/** What lies on a part of a disk; `unclear` when more than one thing seems to. */
export interface Found extends Partition {
  type: string;
}

type Look = { type: string | null; table: boolean };

async function lookAt(host: Host, path: string, part?: Part): Promise<Look> {
  try {
    const { TYPE: type = null, PTTYPE } = (await signature(host, path, part)) ?? {};
    return { type, table: PTTYPE !== undefined };
  } catch (error) {
    if (error instanceof Failure && error.kind === 'failed') return { type: 'unclear', table: false };
    throw error;
  }
}

/** Everything that can be recognised on a disk: the disk as a whole, or what is in its partitions. */
export async function filesystemsOn(host: Host, path: string, size: number): Promise<Found[]> {
  const { type, table } = await lookAt(host, path);
  if (type !== null) return [{ offset: 0, length: size, type }];
  if (!table) return [];
  const found: Found[] = [];
  for (const { offset, length } of await partitionsOf(host, path)) {
    const within = await lookAt(host, path, { at: offset, length });
    if (within.type !== null) found.push({ offset, length, type: within.type });
  }
  return found;
}
