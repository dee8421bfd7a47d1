import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { space, stat } from '@platter/host/looks';
import { formatSize } from '@platter/units/size';

/** statfs(2) magic numbers of filesystems on which nothing can be linked into place. */
const noHardLinks = new Map([
  [0x4d44, 'vfat'],
  [0x2011bab0, 'exfat'],
]);

/** Refuses a directory that is missing or too full, before the first change. */
export async function checkSpace(host: Host, dir: string, needed: number): Promise<void> {
  const found = await host.query(stat(dir));
  if (found === null) throw new Failure('refused', `there is no directory ${dir}`, { hint: `mkdir -p ${dir}` });
  if (found.kind !== 'dir') throw new Failure('refused', `${dir} is not a directory`);
  const { free } = await host.query(space(dir));
  if (free < needed)
    throw new Failure('refused', `${dir} has ${formatSize(free)} free, ${formatSize(needed)} are needed`, {
      hint: 'free some space, then run this again',
    });
}

/** Unsupported where a finished file cannot be linked to its name. */
export async function checkLinks(host: Host, dir: string): Promise<void> {
  const filesystem = noHardLinks.get((await host.query(space(dir))).type);
  if (filesystem !== undefined)
    throw new Failure('unsupported', `${dir} lies on ${filesystem}, which has no hard links`, {
      hint: 'choose a directory on ext4, XFS or btrfs',
    });
}
