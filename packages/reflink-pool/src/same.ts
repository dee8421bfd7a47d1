import { differ } from '@platter/host/differ';
import { Failure } from '@platter/host/failure';
import { withPair } from './held.ts';
import type { Pool } from './pool.ts';
import type { Taken } from './source.ts';
import { type Image, imageFacts, type Volume } from './volume.ts';

/** Whether what came in is surely what the head holds: by its digest, or by sharing every extent. */
export async function isSame(
  pool: Pool,
  { head, file }: Pick<Volume, 'head' | 'file'>,
  { image, taken }: { image: Image; taken: Taken },
): Promise<boolean> {
  if (head === null || head.size !== image.size) return false;
  const known = imageFacts({ file }, head)?.sha256 ?? null;
  if (known !== null && taken.sha256 !== null) return known === taken.sha256;
  const path = pool.host.dry ? taken.from : image.path;
  return pool.settings.backend === 'reflink' && path !== null && sharesAll(pool, head.path, path);
}

/** Whether two files are one by their extents; what cannot be compared that way is another. */
async function sharesAll(pool: Pool, a: string, b: string): Promise<boolean> {
  try {
    const { ranges } = await withPair(pool.host, [a, b], (pair) =>
      differ(pool.host, pair, { method: 'extents', align: 4096 }),
    );
    return ranges.length === 0;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
