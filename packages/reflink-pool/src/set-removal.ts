import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lookAt } from './family.ts';
import { finished } from './lock.ts';
import { hidden, type Pool, waitOf } from './pool.ts';
import { noteNumber } from './prune.ts';
import { refusePinned } from './remove.ts';
import { setOf, volumesIn } from './sets.ts';
import { sweepSets } from './settle.ts';
import type { SetFile } from './sidecar.ts';
import { withAll } from './take.ts';
import type { Revision, Volume } from './volume.ts';

interface Going {
  volume: Volume;
  revision: Revision;
}

/** Removes the members' names, then the set; false when there is no such set. */
export async function removeSet(pool: Pool, name: string, confirmed: boolean): Promise<boolean> {
  const set = await setOf(pool, name);
  if (set === null) return false;
  await withAll(pool, { volumes: volumesIn(set), wait: waitOf(pool) }, async () => {
    await sweepSets(pool);
    const going = await membersOf(pool, set, name);
    for (const { revision, volume } of going) refusePinned(volume.name, [revision]);
    if (!confirmed)
      throw new Failure('refused', `will not remove the set ${name} without its name said again`, {
        hint: `--confirm=${name}`,
      });
    for (const one of going) await removeMember(pool, one, `the set ${name} goes`);
    await pool.host.change(remove(hidden(pool, `sets/${name}.json`)));
    await pool.host.change(sync(hidden(pool, 'sets')));
  });
  return true;
}

/** The members that are still there under the number and for the set they were made for. */
async function membersOf(pool: Pool, { members }: SetFile, set: string): Promise<Going[]> {
  const found = members.map(async ({ volume: name, number }): Promise<Going[]> => {
    const volume = await finished(pool, await lookAt(pool, name));
    const own = volume.revisions.filter((one) => one.number === number && one.facts?.set === set);
    return own.map((revision) => ({ volume, revision }));
  });
  return (await Promise.all(found)).flat();
}

async function removeMember(pool: Pool, { volume, revision }: Going, why: string): Promise<void> {
  if (revision.number === volume.revisions.at(-1)?.number) await noteNumber(pool, volume, revision.number);
  await pool.host.change(because(remove(revision.path), why));
  await pool.host.change(sync(volume.dir));
}
