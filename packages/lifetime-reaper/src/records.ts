import { record } from '@platter/command/record';
import * as z from 'zod/mini';

const instant = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/));
const seconds = z.int().check(z.nonnegative());
const argv = z.array(z.string()).check(z.minLength(1));

const idle = z.looseObject({
  afterSeconds: seconds,
  everySeconds: seconds,
  probes: z.array(z.string()),
  lastActivityAt: instant,
  lastActive: z.nullable(z.looseObject({ probe: z.string(), at: instant })),
  idleSamples: z.int(),
});

const clock = z.looseObject({
  wall: instant,
  uptimeSeconds: z.number(),
  bootId: z.string(),
  /** Set by a look that saw the wall clock jump; a second look that agrees with it is believed. */
  doubted: z.optional(z.looseObject({ wall: instant, uptimeSeconds: z.number() })),
});

/** A lifetime as its lease file holds it; fields we do not know are kept. */
export const Lifetime = record('Lifetime', {
  id: z.string(),
  generation: z.int().check(z.positive()),
  state: z.enum(['armed', 'reaping', 'reaped', 'purging', 'done', 'failed', 'orphaned', 'disarmed']),
  maxRunSeconds: z.int().check(z.positive()),
  maxLifetimeSeconds: z.nullable(seconds),
  armedAt: instant,
  expiresAt: instant,
  hardExpiresAt: z.nullable(instant),
  onExpiry: z.enum(['stop', 'pause', 'teardown', 'command']),
  graceSeconds: seconds,
  target: z.looseObject({
    type: z.enum(['qemu', 'command']),
    command: z.nullable(argv),
    undo: z.nullable(argv),
    notify: z.nullable(argv),
  }),
  stopTimeoutSeconds: seconds,
  idle: z.nullable(idle),
  noticeSeconds: z.array(seconds),
  noticed: z.array(z.string()),
  undo: z.nullable(z.looseObject({ until: instant, command: z.nullable(argv) })),
  attempts: z.int(),
  nextAttemptAt: z.nullable(instant),
  lastError: z.nullable(z.string()),
  timer: z.nullable(z.looseObject({ backend: z.enum(['systemd', 'at', 'none']) })),
  clock,
  owner: z.nullable(z.string()),
  note: z.nullable(z.string()),
  history: z.array(z.looseObject({ at: instant, verb: z.string(), detail: z.string() })),
});
export type Lifetime = z.infer<typeof Lifetime>;
export type Idle = z.infer<typeof idle>;
export type Clock = z.infer<typeof clock>;

/** What one look at a lifetime came to. */
export const ReapResult = record('ReapResult', {
  id: z.string(),
  action: z.string(),
  outcome: z.enum(['reaped', 'purged', 'failed', 'not-due']),
  reason: z.string(),
  due: z.boolean(),
  expiresAt: instant,
  identity: z.looseObject({ generation: z.int() }),
  undoUntil: z.nullable(instant),
  error: z.nullable(z.string()),
});
export type ReapResult = z.infer<typeof ReapResult>;
