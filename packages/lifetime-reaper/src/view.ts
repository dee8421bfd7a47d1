import type { Platter } from '@platter/command/call';
import { formatDuration } from '@platter/units/duration';
import { parseInstant } from '@platter/units/instant';
import { deadline } from './decision.ts';
import type { Lifetime } from './records.ts';

/** A lifetime as a record, with what can be computed of it at `now` (ms). */
export function recordOf(lifetime: Lifetime, now: number): Platter {
  const left = Math.floor((deadline(lifetime) - now) / 1000);
  const timerArmed = lifetime.timer === null || lifetime.timer.backend === 'none' ? false : null;
  return { ...lifetime, remainingSeconds: left, due: left <= 0 && lifetime.state === 'armed', timerArmed };
}

/** One line for people: state, deadline, what is left, and the ceiling. */
export function lineOf(lifetime: Lifetime, now: number): string {
  const { id, state, onExpiry, expiresAt, hardExpiresAt, timer } = lifetime;
  if (state !== 'armed') return `${id}  ${state}${note(lifetime)}`;
  const left = deadline(lifetime) - now;
  const when = left > 0 ? `in ${formatDuration(left)}` : `due since ${formatDuration(-left)}`;
  const ceiling = hardExpiresAt === null ? '' : `, ceiling ${hardExpiresAt}`;
  return `${id}  armed  ${onExpiry} at ${expiresAt} (${when}${ceiling})  timer ${timer?.backend ?? 'none'}`;
}

function note({ state, undo, lastError, nextAttemptAt }: Lifetime): string {
  if (state === 'failed') return `  ${lastError}; next attempt at ${nextAttemptAt}`;
  return state === 'reaped' && undo !== null ? `  undo open until ${undo.until}` : '';
}

/** The same with the local time of the deadline and the last words of its history. */
export function storyOf(lifetime: Lifetime, now: number): string[] {
  const local = new Date(parseInstant(lifetime.expiresAt)).toLocaleString('sv-SE', { timeZoneName: 'short' });
  const notes = [lifetime.owner && `owner ${lifetime.owner}`, lifetime.note].filter(Boolean).join(', ');
  const last = lifetime.history.at(-1);
  return [
    lineOf(lifetime, now),
    `  local time ${local}${notes === '' ? '' : `  ${notes}`}`,
    ...(last === undefined ? [] : [`  ${last.at} ${last.verb}: ${last.detail}`]),
  ];
}
