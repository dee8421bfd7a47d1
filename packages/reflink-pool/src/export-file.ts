import { basename, dirname } from 'node:path';
import { chmod, remove, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { list, lstat, realpath, stat } from '@platter/host/looks';
import { about } from './about.ts';
import { committed } from './committed.ts';
import { locked } from './lock.ts';
import { mustExist } from './machine.ts';
import type { Pool } from './pool.ts';
import { cloneLimit } from './prediction.ts';
import type { ExportRecord } from './records/copy.ts';
import type { Reference } from './reference.ts';
import { linkIn } from './segments.ts';
import { built, copied } from './steps.ts';
import type { Image } from './volume.ts';
import { firstOf, groundOf, waysTo } from './ways.ts';

/** Between the name of a file that is being written and the random end of what it is written under. */
const mark = '~reflink-pool';

/** Writes a committed image to a file that must be new, with an inode of its own: somebody may write there. */
export function exportTo(
  pool: Pool,
  { volume: name, target }: Reference,
  { dest, allowCopy }: { dest: string; allowCopy: boolean },
): Promise<ExportRecord> {
  return locked(pool, name, async (found) => {
    const volume = await mustExist(pool, found);
    const { image, number } = committed(pool, volume, target);
    const ground = await groundOf(pool, await folderOf(pool, dest));
    const ways = waysTo(pool, image, { ground, link: false, allowCopy });
    await sweep(pool, dest);
    await refuseTaken(pool, dest);
    const method = await firstOf(ways, image, (way) => written(pool, image, { dest, how: way as 'reflink' | 'copy' }));
    const told = { id: null, number, path: dest, size: image.size, method, expiresAt: null };
    return { ...about('Export', name), ...told, outcome: 'written' };
  });
}

/** The real directory a file is to be written in: there, and not in the pool, where a file of any name may be an image. */
async function folderOf({ host, path }: Pool, dest: string): Promise<string> {
  const dir = dirname(dest);
  const [real, pool] = [await host.query(realpath(dir)), await host.query(realpath(path))];
  if (real === null || (await host.query(stat(real)))?.kind !== 'dir')
    throw new Failure('refused', `will not write ${dest}: there is no directory ${dir}`, { hint: `mkdir -p ${dir}` });
  if (real === pool || real.startsWith(`${pool}/`))
    throw new Failure('refused', `will not write ${dest}: it is in the pool`, { hint: 'reflink-pool clone' });
  return real;
}

async function refuseTaken({ host }: Pool, dest: string): Promise<void> {
  if ((await host.query(lstat(dest))) === null) return;
  throw new Failure('refused', `will not write ${dest}: it is there already`, { hint: 'choose another name' });
}

/** What a crash left of writing this very file. */
async function sweep({ host }: Pool, dest: string): Promise<void> {
  const [dir, start] = [dirname(dest), `${basename(dest)}${mark}~`];
  for (const { name } of (await host.query(list(dir))) ?? [])
    if (name.startsWith(start) && /^[a-z0-9_]{8}$/.test(name.slice(start.length)))
      await host.change(because(remove(`${dir}/${name}`), 'left by a crash'));
}

async function written(
  pool: Pool,
  from: Image,
  { dest, how }: { dest: string; how: 'reflink' | 'copy' },
): Promise<void> {
  const limit = await cloneLimit(pool, from, how);
  await built(pool, `${dest}${mark}`, async (temp) => {
    await copied(pool, temp, { from, how, why: 'a file of its own', ...limit });
    await pool.host.change(chmod(temp, 0o600));
    await pool.host.change(sync(temp));
    await settle(pool, temp, dest);
  });
}

/** By a link, which fails when somebody was faster; by a rename on a filesystem that has no links. */
async function settle(pool: Pool, temp: string, dest: string): Promise<void> {
  const dir = dirname(dest);
  try {
    await linkIn(pool, temp, { to: dest, dir });
  } catch (error) {
    if (!['EPERM', 'EOPNOTSUPP'].includes(errno(error) ?? '')) throw error;
    await refuseTaken(pool, dest);
    await pool.host.change(rename(temp, dest));
    await pool.host.change(sync(dir));
  }
}
