import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { endExport, exportIds, noteOf, openExport, openExports, sweepExports } from './exports.ts';
import { hidden, type Pool } from './pool.ts';
import { isOver } from './prune.ts';
import { setNames, setOf, volumesIn } from './sets.ts';
import { sweepSets } from './settle.ts';
import { take } from './take.ts';

/** Ends the exports of a volume whose time is over, under its lock, and takes away what crashes left of them. */
export async function endOverdue(pool: Pool, volume: string): Promise<void> {
  for (const one of await openExports(pool))
    if (one.volume === volume && isOver(pool, one.expiresAt))
      await endExport(pool, one.id, `its time was over at ${one.expiresAt}`);
  await sweepExports(pool, volume);
}

/** Whose exports are over, or not whole, although nobody prunes these volumes: they were removed, or are of another kind now. */
export async function forsaken(pool: Pool, pruned: readonly string[]): Promise<string[]> {
  const ids = await exportIds(pool);
  const found = ids.map(async (id) => {
    const [open, noted] = [await openExport(pool, id), await noteOf(pool, id)];
    const over = open === null || isOver(pool, open.expiresAt);
    return over && noted !== null && !pruned.includes(noted.volume) ? [noted.volume] : [];
  });
  return [...new Set((await Promise.all(found)).flat())].sort();
}

/** The published sets with a member among these volumes whose time is over. */
export async function overdueSets(pool: Pool, volumes: readonly string[]): Promise<string[]> {
  const names = await setNames(pool);
  const over = names.map(async (name) => {
    const set = await setOf(pool, name);
    const ours = set !== null && volumesIn(set).some((volume) => volumes.includes(volume));
    return ours && isOver(pool, set.expiresAt) ? [name] : [];
  });
  return (await Promise.all(over)).flat();
}

/** Ends sets under `%sets`: their members are then kept or removed as any other revision. */
export async function endSets(pool: Pool, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const { wait = 0 } = pool.call.flags as { wait?: number };
  const lock = await take(pool, { path: hidden(pool, 'locks/%sets'), what: 'the list of sets', wait });
  try {
    await sweepSets(pool);
    for (const name of names)
      await pool.host.change(because(remove(hidden(pool, `sets/${name}.json`)), `the time of the set ${name} is over`));
    await pool.host.change(sync(hidden(pool, 'sets')));
  } finally {
    lock.release();
  }
}
