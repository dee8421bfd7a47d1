import { create, remove, rename, sync, truncate } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { lstat } from '@platter/host/looks';
import type { Pool } from './pool.ts';
import { segmentsOf } from './segments.ts';
import { note } from './session.ts';
import { built } from './steps.ts';
import { pathOf, type Volume } from './volume.ts';

/** The working copy of a volatile volume: a file of zeros, made anew. */
export async function sparse(pool: Pool, volume: Volume, bootId: string): Promise<{ path: string; method: 'sparse' }> {
  const { host } = pool;
  const [path, size] = [pathOf(volume, 'work'), volume.file.size ?? 0];
  await segmentsOf(pool, volume);
  if (volume.work !== null) await host.change(because(remove(volume.work.path), 'made anew at each start'));
  await built(pool, path, async (temp) => {
    await host.change(because(create(temp, '', 0o600), 'empty at each start'));
    await host.change(truncate(temp, size));
    const made = host.dry ? null : await host.query(lstat(temp));
    await note(pool, volume, { of: made ?? { path: temp }, bootId, unclean: false });
    await host.change(rename(temp, path));
  });
  await host.change(sync(volume.dir));
  return { path, method: 'sparse' };
}
