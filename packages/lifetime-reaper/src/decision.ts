import { formatInstant, parseInstant } from '@platter/units/instant';
import type { Lifetime } from './records.ts';

/** What is to be done about a lifetime now, and why. `again` is when somebody should look next. */
export type Decision =
  | { do: 'nothing'; why: string }
  | { do: 'wait'; why: string; notices: string[] }
  | { do: 'act'; why: string }
  | { do: 'close'; why: string }
  | { do: 'doubt'; why: string };

const idleNeeds = 3;
const quietStart = 15 * 60_000;

/** The instant (ms) at which a lifetime is due: its deadline, or earlier when it has been idle for long enough. */
export function deadline({ expiresAt, idle, armedAt }: Lifetime): number {
  const hard = parseInstant(expiresAt);
  if (idle === null || idle.idleSamples < idleNeeds) return hard;
  const quiet = parseInstant(idle.lastActivityAt) + idle.afterSeconds * 1000;
  return Math.min(hard, Math.max(quiet, parseInstant(armedAt) + quietStart));
}

/** The key of a notice that was sent: the deadline it spoke of and how long before. */
export const noticeKey = (at: number, lead: number): string => `${formatInstant(at)}-${lead}`;

/** The notices that are due and were not sent, longest lead first. */
export function dueNotices(lifetime: Lifetime, now: number): string[] {
  const at = deadline(lifetime);
  return lifetime.noticeSeconds
    .filter((lead) => at - lead * 1000 <= now)
    .map((lead) => noticeKey(at, lead))
    .filter((key) => !lifetime.noticed.includes(key));
}

/** The next instant (ms) at which a look would find something to do; null when none ever will. */
export function nextWake(lifetime: Lifetime, now: number): number | null {
  const { state, idle, undo, nextAttemptAt } = lifetime;
  if (state === 'failed' && nextAttemptAt !== null) return parseInstant(nextAttemptAt);
  if (state === 'reaped' && undo !== null) return parseInstant(undo.until);
  if (state !== 'armed') return null;
  const at = deadline(lifetime);
  const leads = lifetime.noticeSeconds.filter((lead) => !lifetime.noticed.includes(noticeKey(at, lead)));
  const tick = idle === null ? [] : [now + idle.everySeconds * 1000];
  return Math.min(at, ...leads.map((lead) => at - lead * 1000), ...tick);
}

/** What to do, decided from the record, the trust in the clock, and now (ms): never from who asks or which timer fired. */
export function decide(lifetime: Lifetime, sane: boolean, now: number): Decision {
  switch (lifetime.state) {
    case 'armed':
      return armed(lifetime, sane, now);
    case 'reaping':
      return { do: 'act', why: 'an earlier run was interrupted' };
    case 'failed':
      return failed(lifetime, sane, now);
    case 'reaped':
      return windowOf(lifetime, sane, now);
    case 'purging':
      return { do: 'close', why: 'an earlier run was interrupted' };
    default:
      return { do: 'nothing', why: `it is ${lifetime.state}` };
  }
}

const doubt: Decision = { do: 'doubt', why: 'it would be due, but the clock is not to be trusted' };

function armed(lifetime: Lifetime, sane: boolean, now: number): Decision {
  const at = deadline(lifetime);
  if (now < at) return { do: 'wait', why: `it ends at ${formatInstant(at)}`, notices: dueNotices(lifetime, now) };
  const why = at < parseInstant(lifetime.expiresAt) ? 'it was idle for long enough' : 'its time is over';
  return sane ? { do: 'act', why } : doubt;
}

function failed({ nextAttemptAt, lastError }: Lifetime, sane: boolean, now: number): Decision {
  if (nextAttemptAt !== null && now < parseInstant(nextAttemptAt))
    return { do: 'wait', why: `it failed (${lastError}); next attempt at ${nextAttemptAt}`, notices: [] };
  return sane ? { do: 'act', why: 'it failed and is tried again' } : doubt;
}

function windowOf({ undo }: Lifetime, sane: boolean, now: number): Decision {
  if (undo !== null && now < parseInstant(undo.until))
    return { do: 'wait', why: `it is reaped; undo is open until ${undo.until}`, notices: [] };
  return sane ? { do: 'close', why: 'the undo window is over' } : doubt;
}
