import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { type Export, endExport, openExports } from './exports.ts';
import { hidden, type Pool } from './pool.ts';
import { isOver } from './prune.ts';
import { setNames, setOf, volumesIn } from './sets.ts';
import { sweepSets } from './settle.ts';
import { take } from './take.ts';

/** The exports of a volume whose time is over. */
export async function overdueExports(pool: Pool, volume: string): Promise<Export[]> {
  return (await openExports(pool)).filter((one) => one.volume === volume && isOver(pool, one.expiresAt));
}

/** Ends them, under the lock of their volume. */
export async function endOverdue(pool: Pool, exports: readonly Export[]): Promise<void> {
  for (const { id, expiresAt } of exports) await endExport(pool, id, `its time was over at ${expiresAt}`);
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
