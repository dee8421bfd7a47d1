import { Failure } from '@platter/host/failure';
import { about } from './about.ts';
import { backTo } from './heads.ts';
import { refuseImporting } from './importing.ts';
import { locked } from './lock.ts';
import { around, mustExist } from './machine.ts';
import type { Pool } from './pool.ts';
import type { RevertRecord } from './records/cycle.ts';
import { type Reference, revisionOf } from './reference.ts';
import { drop } from './stop.ts';
import { decideStop, heldBy } from './stopping.ts';
import { stopwatch } from './stopwatch.ts';
import type { Revision, Volume } from './volume.ts';

/** What may happen to a working copy that is still there. */
export interface RevertWish {
  discard: boolean;
  confirmed: boolean;
}

/** Makes a former state the head again; consumes nothing. */
export function revert(pool: Pool, { volume: name, target }: Reference, wish: RevertWish): Promise<RevertRecord> {
  return locked(pool, name, async (found) => {
    const volume = await mustExist(pool, found);
    refuseOther(volume);
    const revision = revisionOf(volume, target);
    if (revision === null) refuseHeadless(volume);
    const clear = await clearing(pool, volume, wish);
    return reverted(pool, await clear(), revision);
  });
}

/** Refuses kinds without former states, and a volume that an import is about to change. */
export function refuseOther(volume: Volume): void {
  const { name, file } = volume;
  if (file.volumeKind !== 'saved')
    throw new Failure('refused', `will not revert ${name}: a ${file.volumeKind} volume has no former states`);
  refuseImporting(volume, 'revert');
}

function refuseHeadless({ name, head }: Volume): void {
  if (head !== null) return;
  throw new Failure('refused', `${name} has no head`, { hint: `reflink-pool revert ${name}@latest` });
}

/**
 * A working copy must never outlive its base: it is in use, in the way, or may be thrown away as was said. That is only
 * looked at here; what comes back does it, and gives the volume without it. Nothing is pruned: the target would go too.
 */
export async function clearing(
  pool: Pool,
  volume: Volume,
  { discard, confirmed }: RevertWish,
): Promise<() => Promise<Volume>> {
  const { name, work } = volume;
  if (work === null) return async () => volume;
  const machine = await around(pool, volume, true);
  if (machine.holders.length > 0) throw heldBy(name, 'revert', machine.holders);
  if (!discard || !confirmed)
    throw new Failure('refused', `will not revert ${name}: it is started, and what was written would be lost`, {
      hint: `reflink-pool stop ${name}, or --discard --confirm=${name}`,
    });
  decideStop(volume, machine, { discard, confirmed, always: false });
  return async () => (await drop(pool, volume, 'discarded')).after;
}

async function reverted(pool: Pool, volume: Volume, revision: Revision | null): Promise<RevertRecord> {
  const { name } = volume;
  const ms = stopwatch();
  const to = revision?.number ?? null;
  const already: RevertRecord = { ...about('Revert', name), to, savedAs: null, outcome: 'already', ms: 0 };
  if (revision === null) return already;
  const done = await backTo(pool, volume, revision);
  return done === null ? already : { ...already, ...done, outcome: 'reverted', ms: ms() };
}
