import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { formatInstant } from '@platter/units/instant';
import { perform } from './action.ts';
import { type Moment, noted } from './arming.ts';
import { judgeClock } from './clock.ts';
import { type Decision, deadline, decide } from './decision.ts';
import { sample } from './idleness.ts';
import { type Leases, pathOf, writeLease } from './leases.ts';
import { underLock } from './locked.ts';
import type { Lifetime, ReapResult } from './records.ts';

/** One lifetime under its lock, with the way to write it. */
interface Held {
  call: Call<unknown>;
  leases: Leases;
  moment: Moment;
}

/** Looks at one lifetime and does what is due; each step is decided from what was just read. Gives what came of it. */
export function reapOne(call: Call<unknown>, leases: Leases, id: string): Promise<ReapResult> {
  return underLock(call, { leases, id }, async (read, clocks) => {
    const { sane, keep } = judgeClock(read.clock, clocks);
    const held = { call, leases, moment: { now: clocks.wall, clock: keep, verb: 'reap' } };
    const lifetime = await sampled(held, { ...read, clock: keep });
    return carryOut(held, lifetime, decide(lifetime, sane, clocks.wall));
  });
}

async function sampled({ call, moment }: Held, lifetime: Lifetime): Promise<Lifetime> {
  if (lifetime.idle === null || lifetime.state !== 'armed') return lifetime;
  return { ...lifetime, idle: await sample(call.host, lifetime.idle, moment.now) };
}

const save = ({ call, leases }: Held, lifetime: Lifetime) =>
  writeLease(call.host, leases, { lifetime, pid: call.holder.pid });

async function carryOut(held: Held, lifetime: Lifetime, decision: Decision): Promise<ReapResult> {
  switch (decision.do) {
    case 'nothing':
      return result(lifetime, held, { outcome: 'not-due', reason: decision.why });
    case 'wait':
      return wait(held, lifetime, decision);
    case 'doubt':
      await save(held, lifetime);
      throw new Failure('busy', `${lifetime.id}: ${decision.why}`, {
        hint: 'look again in 10 minutes, or check the clock',
      });
    case 'act':
      return act(held, lifetime, decision.why);
    case 'close':
      return close(held, lifetime, decision.why);
  }
}

async function wait(held: Held, lifetime: Lifetime, { why, notices }: Decision & { do: 'wait' }): Promise<ReapResult> {
  const { notify } = lifetime.target;
  for (const key of notices) {
    const trouble = notify === null ? null : await errand(held, lifetime, [...notify, key]);
    if (trouble !== null) held.call.warn(`the notice was not sent: ${trouble}`);
    else lifetime = { ...lifetime, noticed: [...lifetime.noticed, key] };
  }
  if (notices.length > 0 || lifetime.idle !== null) await save(held, lifetime);
  return result(lifetime, held, { outcome: 'not-due', reason: why });
}

function errand({ call, leases }: Held, lifetime: Lifetime, argv: readonly string[]): Promise<string | null> {
  const { id, stopTimeoutSeconds: timeoutSeconds } = lifetime;
  return perform(call.host, { argv, lease: pathOf(leases, id), timeoutSeconds });
}

/** Writes that it is being reaped (from here a later run finishes it), runs the command, writes what came of it. */
async function act(held: Held, lifetime: Lifetime, why: string): Promise<ReapResult> {
  const { command, undo } = lifetime.target;
  if (lifetime.onExpiry !== 'command' || command === null)
    throw new Failure(
      'unsupported',
      `${lifetime.id}: this release cannot ${lifetime.onExpiry} a ${lifetime.target.type} target`,
    );
  const reaping = stepped(held, { ...lifetime, state: 'reaping' }, `reaping: ${why}`);
  await save(held, reaping);
  const error = await errand(held, reaping, command);
  if (error !== null) return failed(held, reaping, error);
  const until = formatInstant(held.moment.now + reaping.graceSeconds * 1000);
  const window = reaping.graceSeconds > 0 ? { until, kind: 'command', moved: [], command: undo } : null;
  const after = { ...reaping, state: window === null ? ('done' as const) : ('reaped' as const), undo: window };
  const reaped = stepped(held, { ...after, attempts: 0, nextAttemptAt: null, lastError: null }, 'its command ran');
  await save(held, reaped);
  return result(reaped, held, { outcome: 'reaped', reason: why });
}

const stepped = (held: Held, lifetime: Lifetime, detail: string): Lifetime =>
  noted({ ...lifetime, generation: lifetime.generation + 1 }, held.moment, detail);

const longestPause = 60;

async function failed(held: Held, lifetime: Lifetime, error: string): Promise<ReapResult> {
  const attempts = lifetime.attempts + 1;
  const pause = Math.min(2 ** attempts, longestPause) * 60_000;
  const nextAttemptAt = formatInstant(held.moment.now + pause);
  const state = { state: 'failed' as const, attempts, nextAttemptAt, lastError: error };
  await save(held, stepped(held, { ...lifetime, ...state }, `failed: ${error}`));
  throw new Failure('failed', `${lifetime.id}: its command failed`, {
    details: { because: error },
    hint: `it is tried again by the first look after ${nextAttemptAt}`,
  });
}

/** The undo window is over; of a command nothing is left to remove. */
async function close(held: Held, lifetime: Lifetime, why: string): Promise<ReapResult> {
  const done = stepped(held, { ...lifetime, state: 'done', undo: null }, 'the undo window closed');
  await save(held, done);
  return result(done, held, { outcome: 'purged', reason: why });
}

function result(lifetime: Lifetime, { moment }: Held, came: Pick<ReapResult, 'outcome' | 'reason'>): ReapResult {
  const { id, generation, expiresAt, onExpiry: action, undo } = lifetime;
  const due = moment.now >= deadline(lifetime);
  const more = { identity: { generation }, undoUntil: undo?.until ?? null, error: null };
  return { apiVersion: 'platter.dev/v1', kind: 'ReapResult', id, action, due, expiresAt, ...came, ...more };
}
