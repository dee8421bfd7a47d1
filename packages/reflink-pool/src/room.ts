import { Failure } from '@platter/host/failure';
import { run as program, space } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { locked } from './lock.ts';
import type { Pool } from './pool.ts';
import { type Judged, removeNames } from './prune.ts';
import { judgedFor, note, type Run, recordOf, type Spare } from './pruning.ts';
import { Scales } from './scales.ts';
import type { Volume } from './volume.ts';

/**
 * Removes spare names, the oldest first over all volumes, until there is as much room as their policies want; the free
 * bytes then. What is only told is reckoned; else the filesystem is asked again after each.
 */
export async function makeRoom(run: Run): Promise<number> {
  const { pool, wish } = run;
  const reckoned = wish.explain || pool.host.dry;
  const after = (before: number, expected: number, enough: number) =>
    reckoned ? before + expected : freeAfter(pool, { before, expected, enough });
  let free = await after(pool.space.free, run.freed, run.target ?? 0);
  for (const spare of run.spares.toSorted(byAge)) {
    if (free >= spare.target) continue;
    const gain = await (reckoned ? told(run, spare) : gone(run, spare));
    run.freed += gain;
    free = await after(free, gain, spare.target);
  }
  return free;
}

const byAge = (a: Spare, b: Spare) =>
  a.judged.item.time - b.judged.item.time ||
  (a.volume.name < b.volume.name ? -1 : Number(a.volume.name > b.volume.name)) ||
  a.judged.item.number - b.judged.item.number;

const leaving = (one: Judged, { word }: Spare): Judged => ({
  ...one,
  keep: false,
  spare: false,
  reason: `more room (free=${word})`,
});

/** What would come free; a dry run shows the changes. */
const told = (run: Run, spare: Spare): Promise<number> =>
  letGo(run, { ...spare, judged: leaving(spare.judged, spare) });

/** The same under the volume's lock, if it still may go; a locked volume is skipped. */
async function gone(run: Run, spare: Spare): Promise<number> {
  const { pool } = run;
  const { name } = spare.volume;
  const work = async (volume: Volume) => {
    const { path } = spare.judged.revision;
    const now = (await judgedFor(run, volume)).find(({ revision }) => revision.path === path);
    if (now === undefined || (now.keep && !now.spare)) return 0;
    return letGo(run, { volume, judged: leaving(now, spare), scales: new Scales(pool, volume) });
  };
  try {
    return await locked(pool, name, work);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    pool.call.warn(error.message);
    if (!run.skipped.includes(name)) run.skipped.push(name);
    return 0;
  }
}

async function letGo(run: Run, { volume, judged, scales }: Pick<Spare, 'volume' | 'judged' | 'scales'>) {
  const record = await recordOf(volume, judged, scales);
  const gain = await scales.further([judged.revision]);
  if (!run.wish.explain) await removeNames(run.pool, volume, [judged]);
  await note(run, record);
  return gain ?? 0;
}

interface Awaited {
  before: number;
  expected: number;
  enough: number;
}

/** So many looks in a row without more free space, a tenth of a second apart, and no more will come. */
const patience = 10;

/**
 * The free bytes after a removal. XFS frees blocks in the background and tells what is free so far; btrfs tells after a
 * commit. So: a commit, then looks until there is enough, or what was expected, or no more comes.
 */
async function freeAfter({ host, path }: Pool, { before, expected, enough }: Awaited): Promise<number> {
  const look = async () => (await host.query(space(path))).free;
  if (expected === 0) return look();
  const commit = program('sync', ['-f', '--', path], { timeout: 600_000 });
  must(commit, await host.change(commit));
  let free = await look();
  for (let still = 0; still < patience && free < enough && free < before + expected; ) {
    await host.query(program('sleep', ['0.1']));
    const now = await look();
    still = now > free ? 0 : still + 1;
    free = now;
  }
  return free;
}
