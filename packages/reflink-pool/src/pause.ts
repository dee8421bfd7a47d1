import { reflink } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { type Hook, whileFrozen } from './hook.ts';
import type { Pool } from './pool.ts';
import { limitMs } from './prediction.ts';
import { stopwatch } from './stopwatch.ts';
import type { Image } from './volume.ts';

/** A working copy that is cloned while it is not written, where to, and how long that will take in ms. */
export interface Still {
  work: Image;
  temp: string;
  predictedMs: number;
}

/** How long writers may be kept waiting in ms (null: as long as it takes), and who keeps them. */
export interface Pause {
  budget: number | null;
  hook: Hook | null;
}

/**
 * Clones working copies one after another in one pause; how long that was in ms. A clone that is not done within the
 * budget is killed: Failure busy.
 */
export async function clonePaused(pool: Pool, stills: readonly Still[], { budget, hook }: Pause): Promise<number> {
  const spent = stopwatch();
  const work = async () => {
    for (const still of stills) await cloneOne(pool, still, budget === null ? null : budget - spent());
  };
  await (hook === null ? work() : whileFrozen(pool, hook, work));
  return spent();
}

async function cloneOne(pool: Pool, { work, temp, predictedMs }: Still, left: number | null): Promise<void> {
  if (left !== null && left <= 0) throw late(work.path);
  const change = reflink(work.path, temp, { timeout: left ?? limitMs(predictedMs) });
  try {
    await pool.host.change(because(change, 'what the working copy holds at this moment'));
  } catch (error) {
    throw left !== null && errno(error) === 'ETIMEDOUT' ? late(work.path) : error;
  }
}

const late = (path: string) =>
  new Failure('busy', `${path} was not cloned within --max-pause: the clone was stopped, nothing was kept`, {
    hint: 'a larger --max-pause, reflink-pool flatten when it is stopped, or reflink-pool probe --calibrate --save',
  });
