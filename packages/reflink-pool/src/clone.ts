import { link, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { about } from './about.ts';
import { committed } from './committed.ts';
import { beginning, refuseTaken } from './create.ts';
import { lookAt } from './family.ts';
import { locked } from './lock.ts';
import { mustExist } from './machine.ts';
import type { Pool } from './pool.ts';
import { cloneLimit } from './prediction.ts';
import type { CloneRecord } from './records/copy.ts';
import type { Reference } from './reference.ts';
import { segmentsOf } from './segments.ts';
import type { Noted } from './session.ts';
import { clone, put } from './steps.ts';
import { stopwatch } from './stopwatch.ts';
import { type Image, imageFacts, pathOf, type Volume } from './volume.ts';
import { firstOf, groundOf, type Way, waysTo } from './ways.ts';

/** What the person wants of the new volume; a null policy is the pool's. */
export interface CloneWish {
  rw: boolean;
  policy: string | null;
  allowCopy: boolean;
}

/** The new volume, the image that becomes its head, and what its sidecar says with the inode the head will have. */
interface Birth {
  volume: Volume;
  image: Image;
  ref: string;
  announce(head: Noted): Promise<void>;
}

/** Makes a new volume whose head is a committed image of another one. The other is not locked: its image is immutable. */
export function cloneOf(
  pool: Pool,
  { origin, name }: { origin: Reference; name: string },
  wish: CloneWish,
): Promise<CloneRecord> {
  return locked(pool, name, async (volume) => {
    await refuseTaken(pool, volume);
    const source = await mustExist(pool, await lookAt(pool, origin.volume));
    const { image } = committed(pool, source, origin.target);
    const { rw, policy, allowCopy } = wish;
    const ways = waysTo(pool, image, { ground: await groundOf(pool, volume.dir), link: true, allowCopy });
    const ref = `${source.name}@${'number' in image ? image.number : 'head'}`;
    const known = imageFacts(source, image);
    const announce = (head: Noted) => {
      const images = known !== null && 'ino' in head ? [{ ...known, ino: String(head.ino) }] : [];
      return put(pool, volume, { ...beginning(pool), rw, policy, images, why: `${name} begins as ${ref}` });
    };
    await segmentsOf(pool, volume);
    const ms = stopwatch();
    const method = await firstOf(ways, image, (way) => born(pool, { volume, image, ref, announce }, way));
    return { ...about('Clone', name), from: ref, path: pathOf(volume, 'head'), method, ms: ms() };
  });
}

/** The sidecar, then the head: that it has one is what makes it a volume. */
async function born(pool: Pool, { volume, image, ref, announce }: Birth, way: Way): Promise<void> {
  const [to, why] = [pathOf(volume, 'head'), `${volume.name} begins as ${ref}`];
  if (way !== 'link') {
    const limit = await cloneLimit(pool, image, way);
    return clone(pool, { from: image, to, mode: 0o400, how: way, why, named: announce, ...limit });
  }
  await announce(image);
  await linked(pool, { from: image.path, to, why, ref });
  await pool.host.change(sync(volume.dir));
}

async function linked(pool: Pool, { from, to, why, ref }: { from: string; to: string; why: string; ref: string }) {
  try {
    await pool.host.change(because(link(from, to), why));
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error;
    throw new Failure('busy', `${ref} was removed while it was cloned`, { hint: 'try again' });
  }
}
