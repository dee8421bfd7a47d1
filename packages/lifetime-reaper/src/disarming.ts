import { Failure } from '@platter/host/failure';
import { type Moment, noted } from './arming.ts';
import type { Lifetime } from './records.ts';

/** The same lifetime without a deadline that acts; itself when it is disarmed already. */
export function disarmed(lifetime: Lifetime, moment: Moment): Lifetime {
  const { id, state, generation } = lifetime;
  if (state === 'reaping' || state === 'purging')
    throw new Failure('refused', `will not disarm ${id}: it is ${state}`, { hint: `lifetime-reaper reap ${id}` });
  if (state === 'disarmed') return lifetime;
  const next = {
    ...lifetime,
    state: 'disarmed' as const,
    generation: generation + 1,
    nextAttemptAt: null,
    timer: null,
  };
  return noted(next, moment, `disarmed; its deadline was ${lifetime.expiresAt}`);
}
