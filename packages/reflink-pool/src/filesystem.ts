import type { Host, Space } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';

/** statfs(2) magic of XFS. */
export const xfs = 0x58465342;
/** That of btrfs, where files of different devices (subvolumes) may share extents. */
export const btrfs = 0x9123683e;

/** statfs(2) magic numbers by the names people know. */
const types: Record<number, string> = { [xfs]: 'xfs', [btrfs]: 'btrfs', 61267: 'ext4', 16914836: 'tmpfs' };

/** What a filesystem is called. */
export const typeName = ({ type }: Space): string => types[type] ?? `0x${type.toString(16)}`;

/** Refuses a path at which no directory lies. */
export async function mustBeDirectory(host: Host, path: string): Promise<void> {
  const found = await host.query(lstat(path));
  if (found === null) throw new Failure('refused', `there is no directory ${path}`, { hint: `mkdir ${path}` });
  if (found.kind !== 'dir') throw new Failure('refused', `${path} is not a directory`, { details: { is: found.kind } });
}
