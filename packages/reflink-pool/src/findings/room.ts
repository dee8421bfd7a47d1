import { shellLine } from '@platter/units/shell';
import { formatSize } from '@platter/units/size';
import { mountsElsewhere, mountsInside } from '../mounts.ts';
import type { Pool } from '../pool.ts';
import { ours, type Told } from './finding.ts';

/** Less free space than a start asks for. */
export function lowSpace(pool: Pool): Told[] {
  const { path, space, settings } = pool;
  const { reserveBytes } = settings;
  if (space.free >= reserveBytes) return [];
  const message = `${formatSize(space.free)} are free, and a start needs ${formatSize(reserveBytes)}`;
  return [{ code: 'low-space', path, message, fix: ours(pool, 'prune', '--policy', `count=all,free=${reserveBytes}`) }];
}

/** Mounts that links and renames inside the pool would have to cross. */
export async function mounts({ host, path: pool }: Pool): Promise<Told[]> {
  const [inside, elsewhere] = [await mountsInside(host, pool), await mountsElsewhere(host, pool)];
  const told = (path: string, message: string): Told => ({
    ...{ code: 'nested-mount', path, message },
    fix: shellLine(['umount', '--', path]),
  });
  return [
    ...inside.map((path) => told(path, `${path} is mounted inside the pool: links and renames do not cross it`)),
    ...elsewhere.map((path) => told(path, `${path} shows the pool a second time: links between the two fail`)),
  ];
}
