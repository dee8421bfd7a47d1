import { remove } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lookAt } from './family.ts';
import { type Pending, pendingSets } from './pending.ts';
import { type Pool, waitOf } from './pool.ts';
import { refuseStrange } from './strange.ts';
import { take, withAll } from './take.ts';
import type { Volume } from './volume.ts';

/**
 * Holds the volume's lock while `work` runs, first finishing what a crash left: a removal goes on, temporaries and an
 * import without a session go, and a set that names it is finished under the locks of all its members. `work` gets the
 * volume as it is after that.
 */
export async function locked<T>(pool: Pool, name: string, work: (volume: Volume) => Promise<T>): Promise<T> {
  const lock = await take(pool, { path: pool.lockFile(name), what: name, wait: waitOf(pool) });
  let pending: Pending[];
  try {
    const volume = await lookAt(pool, name);
    pending = volume.pending;
    if (pending.length === 0 || pool.host.dry) return await work(await finished(pool, volume));
  } finally {
    lock.release();
  }
  for (const set of pending) await (await import('./settle.ts')).settleSet(pool, set);
  return locked(pool, name, work);
}

/** Volumes that become members of a set. */
interface Members {
  names: readonly string[];
  set: string;
}

/** The same for the members of a set that is to be made, under the lock of the list of sets as well. */
export async function lockedAll<T>(pool: Pool, { names, set }: Members, work: (volumes: Volume[]) => Promise<T>) {
  const { settleSet, sweepSets } = await import('./settle.ts');
  const unfinished = async () =>
    (await pendingSets(pool)).filter(
      ({ name, members }) => name === set || members.some(({ volume }) => names.includes(volume)),
    );
  for (;;) {
    for (const one of await unfinished()) await settleSet(pool, one);
    const done = await withAll(pool, { volumes: names, wait: waitOf(pool) }, async () => {
      if (!pool.host.dry && (await unfinished()).length > 0) return null;
      await sweepSets(pool);
      const volumes: Volume[] = [];
      for (const name of names) volumes.push(await finished(pool, await lookAt(pool, name)));
      return { value: await work(volumes) };
    });
    if (done !== null) return done.value;
  }
}

/** The volume without what a crash left. Failure corrupt when its sidecar cannot be read: nothing is built on that. */
export async function finished(pool: Pool, volume: Volume): Promise<Volume> {
  refuseStrange(volume, 'head', 'work');
  if (volume.sidecar === 'damaged')
    throw new Failure('corrupt', `${pool.volumeFile(volume.name)} is not a volume's sidecar`, {
      hint: `mv it aside: labels and pins of ${volume.name} are lost, data is not`,
    });
  if (volume.file.removing) {
    await (await import('./removal.ts')).removeFamily(pool, volume);
    return pool.host.dry ? empty(volume) : lookAt(pool, volume.name);
  }
  for (const path of volume.temps) await pool.host.change(because(remove(path), 'left by a crash'));
  const stray = volume.importing !== null && volume.file.import === null ? volume.importing : null;
  if (stray !== null) await pool.host.change(because(remove(stray.path), 'an import that was never announced'));
  return { ...volume, temps: [], importing: stray === null ? volume.importing : null };
}

/** What a finished removal leaves, for a dry run that cannot look. */
const empty = (volume: Volume): Volume => ({
  ...volume,
  head: null,
  work: null,
  prepared: null,
  importing: null,
  revisions: [],
  temps: [],
  session: null,
  sidecar: 'absent',
});
