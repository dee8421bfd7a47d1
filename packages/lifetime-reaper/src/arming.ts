import { isDeepStrictEqual } from 'node:util';
import { Failure } from '@platter/host/failure';
import { formatInstant, parseInstant } from '@platter/units/instant';
import { deadline } from './decision.ts';
import type { Clock, Idle, Lifetime } from './records.ts';

/** What a person asks of a lifetime; durations in whole seconds. */
export interface Wish {
  maxRunSeconds: number;
  maxLifetimeSeconds: number | null;
  graceSeconds: number;
  command: string[];
  undo: string[] | null;
  notify: string[] | null;
  stopTimeoutSeconds: number;
  idle: { afterSeconds: number; everySeconds: number; probes: string[] } | null;
  noticeSeconds: number[];
  owner: string | null;
  note: string | null;
}
export interface Moment {
  now: number;
  clock: Clock;
  verb: string;
}

const after = (instant: string, seconds: number): string => formatInstant(parseInstant(instant) + seconds * 1000);

/** Adds a line to the history, of which the last 20 are kept. */
export function noted(lifetime: Lifetime, { now, clock, verb }: Moment, detail: string): Lifetime {
  const history = [...lifetime.history, { at: formatInstant(now), verb, detail }].slice(-20);
  return { ...lifetime, clock, history };
}

function idleOf(wish: Wish, armedAt: string, last: Idle | null): Idle | null {
  if (wish.idle === null) return null;
  const sampled = last ?? { lastActivityAt: armedAt, lastActive: null, idleSamples: 0 };
  return { ...sampled, ...wish.idle };
}

function settings(wish: Wish, armedAt: string, idle: Idle | null) {
  const { maxRunSeconds, maxLifetimeSeconds, graceSeconds, stopTimeoutSeconds, noticeSeconds, owner, note } = wish;
  return {
    maxRunSeconds,
    maxLifetimeSeconds,
    hardExpiresAt: maxLifetimeSeconds === null ? null : after(armedAt, maxLifetimeSeconds),
    onExpiry: 'command' as const,
    graceSeconds,
    target: { type: 'command' as const, command: wish.command, undo: wish.undo, notify: wish.notify },
    stopTimeoutSeconds,
    idle: idleOf(wish, armedAt, idle),
    noticeSeconds,
    owner,
    note,
  };
}

/** A run that begins with the next whole second, whatever was there before: nothing ends early. */
function anchored(id: string, wish: Wish, moment: Moment & { last: Lifetime | null }): Lifetime {
  const armedAt = formatInstant(Math.ceil(moment.now / 1000) * 1000);
  const { generation = 0, history = [] } = moment.last ?? {};
  const fresh = {
    ...(moment.last ?? {}),
    apiVersion: 'platter.dev/v1' as const,
    kind: 'Lifetime' as const,
    id,
    generation: generation + 1,
    state: 'armed' as const,
    armedAt,
    expiresAt: after(armedAt, wish.maxRunSeconds),
    noticed: [],
    undo: null,
    attempts: 0,
    nextAttemptAt: null,
    lastError: null,
    timer: { backend: 'none' as const },
    clock: moment.clock,
    history,
    ...settings(wish, armedAt, null),
  };
  return noted(fresh, moment, `armed until ${fresh.expiresAt}`);
}

/** The same run under other settings: the anchor stays, and so does what was added by extending. */
function resettled(last: Lifetime, wish: Wish, moment: Moment): Lifetime {
  const extended = parseInstant(last.expiresAt) - parseInstant(last.armedAt) - last.maxRunSeconds * 1000;
  const { hardExpiresAt } = settings(wish, last.armedAt, last.idle);
  const wanted = after(last.armedAt, wish.maxRunSeconds + extended / 1000);
  const expiresAt = hardExpiresAt !== null && hardExpiresAt < wanted ? hardExpiresAt : wanted;
  const next = { ...last, ...settings(wish, last.armedAt, last.idle), expiresAt, generation: last.generation + 1 };
  return noted(next, moment, `settings changed; until ${expiresAt}`);
}

/** Whether two records ask for the same: generation, clock and history are not asked for. */
function sameAsked(a: Lifetime, b: Lifetime): boolean {
  const asked = ({ generation, clock, history, ...rest }: Lifetime) => rest;
  return isDeepStrictEqual(asked(a), asked(b));
}

/** The record that arming leads to, or null when it is already so. Refused where the run cannot be armed as it is. */
export function armed(
  id: string,
  last: Lifetime | null,
  asked: { wish: Wish; moment: Moment; restart: boolean },
): Lifetime | null {
  const { wish, moment, restart } = asked;
  const state = last?.state;
  if (state === 'reaping' || state === 'purging')
    throw new Failure('refused', `will not arm ${id}: it is ${state}`, { hint: `lifetime-reaper reap ${id}` });
  const running = state === 'armed' || state === 'failed';
  if (last === null || !running || restart) return anchored(id, wish, { ...moment, last });
  const next = resettled(last, wish, moment);
  if (!sameAsked(next, last)) return next;
  if (moment.now >= deadline(last))
    throw new Failure('refused', `${id} is armed and already due`, {
      hint: `lifetime-reaper extend ${id} 1h, or lifetime-reaper reap ${id}`,
    });
  return null;
}
