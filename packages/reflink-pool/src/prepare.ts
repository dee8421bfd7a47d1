import { Failure } from '@platter/host/failure';
import type { Pool } from './pool.ts';
import { limitMs, mappingsOf, predictedMs } from './prediction.ts';
import { clone } from './steps.ts';
import type { Ended } from './stop.ts';
import { type Image, pathOf } from './volume.ts';

/** Below so many mappings a clone at the next start is as good. */
const worthwhile = 1000;

/** After a commit: makes the copy for the next start where a clone will be slow. That it fails does not undo the commit. */
export async function prepareAhead(pool: Pool, { record, after }: Ended): Promise<void> {
  const { settings, host, call } = pool;
  const to = pathOf(after, 'prepared');
  if (record.outcome !== 'committed' || settings.prepare === 'never' || settings.backend === 'copy') return;
  if (!after.file.rw || after.head === null || after.strange.includes(to)) return;
  try {
    const from: Image = host.dry ? { ...after.head, path: pathOf(after, 'work') } : after.head;
    const mappings = await mappingsOf(pool, from, worthwhile);
    if (mappings < worthwhile) return;
    const timeout = limitMs(predictedMs(pool, mappings));
    await clone(pool, { from: after.head, to, mode: 0o600, timeout, why: 'for the next start' });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    call.warn(`the next start of ${after.name} could not be prepared: ${error.message}`);
  }
}
