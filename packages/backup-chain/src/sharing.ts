import type { Host } from '@platter/host/door';
import { space } from '@platter/host/looks';

/** Magic numbers of XFS and btrfs (statfs(2)). */
const sharing = [0x58465342, 0x9123683e];

/** Whether a path lies on a filesystem whose files can share extents. */
export const sharesExtents = async (host: Host, path: string): Promise<boolean> =>
  sharing.includes((await host.query(space(path))).type);
