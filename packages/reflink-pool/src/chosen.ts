import { lookAt } from './family.ts';
import { volumesOf } from './look.ts';
import { mustExist, spread } from './machine.ts';
import { glancing, type Pool } from './pool.ts';
import type { Volume } from './volume.ts';

/** The names that words mean: themselves, all below a prefix; all saved volumes where there are no words. */
export async function chosen(pool: Pool, words: readonly string[]): Promise<string[]> {
  if (words.length > 0) return spread(pool, words);
  const volumes = await volumesOf(glancing(pool));
  return volumes.filter(({ file }) => file.volumeKind === 'saved').map(({ name }) => name);
}

/** A volume as it is now, which must be there; a sidecar that cannot be read is warned about. */
export async function readable(pool: Pool, name: string): Promise<Volume> {
  const volume = await mustExist(pool, await lookAt(pool, name));
  if (volume.sidecar === 'damaged')
    pool.call.warn(`${pool.volumeFile(name)} cannot be read: labels and pins of ${name} are not known`);
  return volume;
}
