import { remove, removeDir, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { errno } from '@platter/host/failure';
import { list, lstat } from '@platter/host/looks';
import { hidden, type Pool } from './pool.ts';
import type { Volume } from './volume.ts';

/** All files of a volume in the order they go: nothing half removed looks like a volume that lost its newest state. */
export function filesInOrder({ temps, importing, prepared, work, revisions, head }: Volume): string[] {
  const images = [importing, prepared, work, ...revisions, head].flatMap((image) =>
    image === null ? [] : [image.path],
  );
  return [...temps, ...images];
}

/** Removes what belongs to a volume whose tombstone is written; the sidecar goes last. */
export async function removeFamily(pool: Pool, volume: Volume): Promise<void> {
  for (const path of filesInOrder(volume))
    await pool.host.change(because(remove(path), `${volume.name} is being removed`));
  await removeSegments(pool, volume);
  await pool.host.change(remove(pool.sessionFile(volume.name)));
  await pool.host.change(remove(pool.volumeFile(volume.name)));
  await pool.host.change(sync(hidden(pool, 'volumes')));
}

/** The directories of the name that are empty now; the last one that stays is flushed. */
async function removeSegments(pool: Pool, volume: Volume): Promise<void> {
  const gone = new Set(filesInOrder(volume).map((path) => path.slice(path.lastIndexOf('/') + 1)));
  let dir = volume.dir;
  while (dir !== pool.path) {
    const left = ((await pool.host.query(list(dir))) ?? []).filter(({ name }) => !gone.has(name));
    if (left.length > 0 || !(await removeSegment(pool, dir))) break;
    gone.add(dir.slice(dir.lastIndexOf('/') + 1));
    dir = dir.slice(0, dir.lastIndexOf('/'));
  }
  await pool.host.change(sync(dir));
}

/** False for what somebody else has made: a subvolume, which is another device, or a place that something is mounted on. */
async function removeSegment({ host }: Pool, dir: string): Promise<boolean> {
  const [own, above] = [await host.query(lstat(dir)), await host.query(lstat(dir.slice(0, dir.lastIndexOf('/'))))];
  if (own !== null && own.dev !== above?.dev) return false;
  try {
    await host.change(because(removeDir(dir), 'it is empty'));
    return true;
  } catch (error) {
    if (errno(error) === 'EBUSY') return false;
    throw error;
  }
}
