import { chmod, link, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { errno } from '@platter/host/failure';
import { isTwin } from './naming.ts';
import type { Pool } from './pool.ts';
import { built, copied, replaceHead, saveHead } from './steps.ts';
import { pathOf, type Revision, type Volume } from './volume.ts';

/**
 * The revision's image becomes the head, after the head got a number: SAVE-HEAD, a further name of the image,
 * REPLACE-HEAD. Null when it is the head already, else the number of the state before (null without one).
 */
export async function backTo(
  pool: Pool,
  volume: Volume,
  revision: Revision,
): Promise<{ savedAs: number | null } | null> {
  if (isTwin(volume, revision)) return null;
  const savedAs = await saveHead(pool, volume);
  const path = pathOf(volume, 'head');
  const why = `${volume.name}@${revision.number} is the head again`;
  await built(pool, path, async (temp) => {
    try {
      await pool.host.change(because(link(revision.path, temp), why));
    } catch (error) {
      if (errno(error) !== 'EMLINK') throw error;
      await copied(pool, temp, { from: revision, why: 'no more links are possible' });
      await pool.host.change(chmod(temp, 0o400));
      await pool.host.change(sync(temp));
    }
    await replaceHead(pool, volume, { path: temp, image: null, why });
  });
  return { savedAs };
}
