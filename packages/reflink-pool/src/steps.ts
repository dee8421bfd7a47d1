import { dirname } from 'node:path';
import { chmod, copy, create, link, reflink, remove, rename, sync } from '@platter/host/changes';
import { because, type Change, type Stat } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import { binds, living } from './facts.ts';
import { nextNumber, revisionPath, sameImage, savedNumber } from './naming.ts';
import { hidden, type Pool } from './pool.ts';
import type { Noted } from './session.ts';
import type { VolumeFile } from './sidecar.ts';
import { type Image, pathOf, type Volume } from './volume.ts';

/** Takes temporaries away, each tried again once: a signal or an error at one of them leaves none behind, and is thrown at the end. */
export const takeAway = (pool: Pick<Pool, 'host'>, paths: readonly string[], why: string): Promise<void> =>
  undone(
    pool,
    paths.map((path) => because(remove(path), why)),
  );

/** The same for any changes that put things back. */
export async function undone({ host }: Pick<Pool, 'host'>, changes: readonly Change[]): Promise<void> {
  const errors: unknown[] = [];
  for (const change of changes) {
    const attempt = () => host.change(change);
    await attempt().catch((error) => {
      errors.push(error);
      return attempt();
    });
  }
  if (errors.length > 0) throw errors[0];
}

/** Builds something under a temporary name beside its path; when the work fails the temporary goes. */
export async function built<T>(pool: Pool, path: string, work: (temp: string) => Promise<T>): Promise<T> {
  const temp = pool.temp(path);
  try {
    return await work(temp);
  } catch (error) {
    await takeAway(pool, [temp], 'it is not whole');
    throw error;
  }
}

type Fields = Partial<Omit<VolumeFile, 'why'>> & { why: string };

/** PUT: the volume's sidecar is replaced as a whole and durable; what is noted about names that are gone is dropped. */
export async function put(pool: Pool, volume: Volume, { why, ...changes }: Fields): Promise<void> {
  const path = pool.volumeFile(volume.name);
  const uuid = volume.file.uuid || pool.call.uuid();
  const file = { apiVersion: 'platter.dev/v1', ...volume.file, uuid, ...living(volume), ...changes };
  await built(pool, path, async (temp) => {
    await pool.host.change(because(create(temp, `${JSON.stringify(file)}\n`, 0o600), why));
    await pool.host.change(rename(temp, path));
  });
  await pool.host.change(sync(hidden(pool, 'volumes')));
}

/** An image to copy, and how: as the pool does unless said otherwise. */
export interface Copying {
  from: Image;
  how?: 'reflink' | 'copy';
  /** Milliseconds after which a clone is given up. */
  timeout?: number;
  why: string;
}

export interface Clone extends Copying {
  to: string;
  mode: number;
  /** Called with the new image before it gets its name. */
  named?: (made: Noted) => Promise<void>;
}

/** The first half of CLONE: all bytes of an image under a temporary name, shared or, where that cannot be, copied with their holes. */
export async function copied(pool: Pool, temp: string, { from, how, timeout, why }: Copying): Promise<Stat | null> {
  const shared = (how ?? pool.settings.backend) === 'reflink';
  const copying = shared ? reflink(from.path, temp, { timeout: timeout ?? 60_000 }) : copy(from.path, temp);
  await pool.host.change(because(copying, why));
  return complete(pool, temp, from);
}

/** CLONE: a copy with an inode of its own, put in place whole. */
export async function clone(pool: Pool, { to, mode, named, ...copying }: Clone): Promise<void> {
  const { host } = pool;
  await built(pool, to, async (temp) => {
    const made = await copied(pool, temp, copying);
    await host.change(chmod(temp, mode));
    await named?.(made ?? { path: temp });
    await host.change(sync(temp));
    await host.change(rename(temp, to));
  });
  await host.change(sync(dirname(to)));
}

/** The facts of a fresh copy, which must be as long as its source; null in a dry run. */
export async function complete({ host }: Pool, temp: string, from: Image): Promise<Stat | null> {
  if (host.dry) return null;
  const made = await host.query(lstat(temp));
  if (made?.size === from.size) return made;
  throw new Failure(
    'failed',
    `the copy of ${from.path} came out with ${made?.size ?? 0} bytes instead of ${from.size}`,
  );
}

/** SAVE-HEAD: the head gets a number unless it has one already. The number it is saved under; null without a head. */
export async function saveHead(pool: Pool, volume: Volume): Promise<number | null> {
  const { head } = volume;
  const saved = savedNumber(volume);
  if (head === null || saved !== null) return saved;
  const number = nextNumber(volume);
  if (binds(volume.file.revisions[number], head))
    await put(pool, volume, {
      why: `a crash left it noted about ${volume.name}@${number}, which is another image now`,
    });
  const path = revisionPath(volume, number, head);
  await further(pool, { from: head, to: path, mode: 0o400, why: `the present head stays as revision ${number}` });
  return number;
}

/** A further name of an image, durable; where no more names are possible (or none across subvolumes) a clone. */
export async function further(pool: Pool, { from, to, mode, why }: Clone): Promise<'link' | 'reflink' | 'copy'> {
  try {
    await pool.host.change(because(link(from.path, to), why));
  } catch (error) {
    if (!['EMLINK', 'EXDEV'].includes(errno(error) ?? '')) throw error;
    await clone(pool, { from, to, mode, why });
    return pool.settings.backend;
  }
  await pool.host.change(sync(dirname(to)));
  return 'link';
}

/** A file to become the head; `image` is null where it is sure to be another inode. */
export interface Replacement {
  path: string;
  image: Image | null;
  why: string;
}

/** REPLACE-HEAD: an image that has one name becomes the head; a copy made ahead of the old one goes first. */
export async function replaceHead(pool: Pool, volume: Volume, { path, image, why }: Replacement): Promise<void> {
  const { head, prepared } = volume;
  if (head !== null && image !== null && sameImage(head, image))
    throw new Failure('refused', `${path} is already the head of ${volume.name}`);
  if (prepared !== null) await pool.host.change(because(remove(prepared.path), 'it was made of the old head'));
  await pool.host.change(because(rename(path, pathOf(volume, 'head')), why));
  await pool.host.change(sync(volume.dir));
}
