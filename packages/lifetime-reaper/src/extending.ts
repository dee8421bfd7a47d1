import { Failure } from '@platter/host/failure';
import { formatDuration } from '@platter/units/duration';
import { formatInstant, parseInstant } from '@platter/units/instant';
import { type Moment, noted } from './arming.ts';
import type { Lifetime } from './records.ts';

/** A later deadline: `by` seconds after the old one or after now, whichever is later; null takes all the ceiling leaves. */
export function extended(lifetime: Lifetime, by: number | null, moment: Moment): Lifetime {
  const { id, state, hardExpiresAt } = lifetime;
  if (state !== 'armed' && state !== 'failed')
    throw new Failure('refused', `will not extend ${id}: it is ${state}`, { hint: `lifetime-reaper arm ${id}` });
  const base = Math.max(moment.now, parseInstant(lifetime.expiresAt));
  const ceiling = hardExpiresAt === null ? null : parseInstant(hardExpiresAt);
  const until = by === null ? toCeiling(id, ceiling) : base + by * 1000;
  if (ceiling !== null && until > ceiling) throw beyond(id, ceiling - base);
  const expiresAt = formatInstant(until);
  const active = { lastActivityAt: formatInstant(moment.now), idleSamples: 0 };
  const next = {
    ...lifetime,
    state: 'armed' as const,
    expiresAt,
    generation: lifetime.generation + 1,
    nextAttemptAt: null,
  };
  const idle = lifetime.idle === null ? null : { ...lifetime.idle, ...active };
  return noted({ ...next, idle }, moment, `extended until ${expiresAt}`);
}

function toCeiling(id: string, ceiling: number | null): number {
  if (ceiling !== null) return ceiling;
  throw new Failure('refused', `${id} has no ceiling`, { hint: 'say by how long, as in 2h' });
}

function beyond(id: string, room: number): Failure {
  const most = room > 0 ? `at most ${formatDuration(room)} fits` : 'nothing fits any more';
  return new Failure('refused', `will not extend ${id} beyond its ceiling: ${most}`, {
    hint: `lifetime-reaper extend ${id} --to-ceiling`,
  });
}
