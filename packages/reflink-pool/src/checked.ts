import { lookAt } from './family.ts';
import { volumesOf } from './look.ts';
import { mustExist, spread } from './machine.ts';
import type { Pool } from './pool.ts';
import type { Volume } from './volume.ts';

/** The volumes that words mean, or all that are there without a word. */
export async function checkedVolumes(pool: Pool, words: readonly string[]): Promise<Volume[]> {
  if (words.length === 0) return volumesOf(pool);
  const names = await spread(pool, words);
  return Promise.all(names.map(async (name) => mustExist(pool, await lookAt(pool, name))));
}
