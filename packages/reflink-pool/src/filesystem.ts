import type { Space } from '@platter/host/door';

/** statfs(2) magic of XFS. */
export const xfs = 0x58465342;

/** statfs(2) magic numbers by the names people know. */
const types: Record<number, string> = { [xfs]: 'xfs', 2435016766: 'btrfs', 61267: 'ext4', 16914836: 'tmpfs' };

/** What a filesystem is called. */
export const typeName = ({ type }: Space): string => types[type] ?? `0x${type.toString(16)}`;
