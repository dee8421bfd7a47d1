import { Failure } from '@platter/host/failure';
import type { Pool } from './pool.ts';
import { limitMs, mappingsOf, predictedMs } from './prediction.ts';
import { clone } from './steps.ts';
import type { Ended } from './stop.ts';
import { type Image, pathOf, type Volume } from './volume.ts';

/** Below so many mappings a clone at the next start is as good. */
const worthwhile = 1000;

/** The copy for the next start that follows a commit. */
export interface Ahead {
  from: Image;
  to: string;
  timeout: number;
}

/** Decides whether a commit is followed by the copy for the next start, which is where a clone will be slow; only looks. */
export async function decideAhead(pool: Pool, { record, after }: Ended): Promise<Ahead | null> {
  const { settings, host } = pool;
  const to = pathOf(after, 'prepared');
  if (record.outcome !== 'committed' || settings.prepare === 'never' || settings.backend === 'copy') return null;
  if (!after.file.rw || after.head === null || after.strange.includes(to)) return null;
  const from: Image = host.dry ? { ...after.head, path: pathOf(after, 'work') } : after.head;
  const mappings = await orWarn(pool, after, () => mappingsOf(pool, from, worthwhile));
  if (mappings === null || mappings < worthwhile) return null;
  return { from: after.head, to, timeout: limitMs(predictedMs(pool, mappings)) };
}

/** Makes the copy for the next start. */
export async function prepareAhead(pool: Pool, volume: Volume, ahead: Ahead): Promise<void> {
  await orWarn(pool, volume, () => clone(pool, { ...ahead, mode: 0o600, why: 'for the next start' }));
}

/** That it could not be told, or made, does not undo the commit. */
async function orWarn<T>({ call }: Pool, { name }: Volume, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    call.warn(`the next start of ${name} could not be prepared: ${error.message}`);
    return null;
  }
}
