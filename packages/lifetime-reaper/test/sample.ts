import type { Wish } from '../src/arming.ts';
import type { Lifetime } from '../src/records.ts';

export const t0 = Date.UTC(2026, 10, 20, 10);
export const boot = '11111111-2222-4333-8444-555555555555';
export const clock = { wall: '2026-11-20T10:00:00Z', uptimeSeconds: 1000, bootId: boot };
export const moment = (now: number, verb = 'arm') => ({ now, clock, verb });

/** A wish for eight hours; what is given replaces. */
export const wish = (more: Partial<Wish> = {}): Wish => ({
  maxRunSeconds: 8 * 3600,
  maxLifetimeSeconds: null,
  graceSeconds: 0,
  command: ['/bin/stop', 'ci-42'],
  undo: null,
  notify: null,
  stopTimeoutSeconds: 90,
  idle: null,
  noticeSeconds: [],
  owner: null,
  note: null,
  ...more,
});

/** An armed lifetime of eight hours from t0; what is given replaces. */
export const lifetime = (more: Partial<Lifetime> = {}): Lifetime => ({
  apiVersion: 'platter.dev/v1',
  kind: 'Lifetime',
  id: 'ci-42',
  generation: 1,
  state: 'armed',
  maxRunSeconds: 8 * 3600,
  maxLifetimeSeconds: null,
  armedAt: '2026-11-20T10:00:00Z',
  expiresAt: '2026-11-20T18:00:00Z',
  hardExpiresAt: null,
  onExpiry: 'command',
  graceSeconds: 0,
  target: { type: 'command', command: ['/bin/stop', 'ci-42'], undo: null, notify: null },
  stopTimeoutSeconds: 90,
  idle: null,
  noticeSeconds: [],
  noticed: [],
  undo: null,
  attempts: 0,
  nextAttemptAt: null,
  lastError: null,
  timer: { backend: 'none' },
  clock,
  owner: null,
  note: null,
  history: [],
  ...more,
});

export const hours = (n: number) => t0 + n * 3_600_000;
