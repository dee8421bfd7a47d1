import { formatInstant } from '@platter/units/instant';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deadline, decide, dueNotices, nextWake } from '../src/decision.ts';
import { Lifetime } from '../src/records.ts';
import { hours, lifetime, t0 } from './sample.ts';

const undo = { until: formatInstant(hours(20)), command: null };
const nextAttemptAt = formatInstant(hours(20));

describe('decide', () => {
  it.each([
    ['armed', {}, true, hours(7), 'wait'],
    ['armed', {}, true, hours(8), 'act'],
    ['armed', {}, false, hours(7), 'wait'],
    ['armed', {}, false, hours(9), 'doubt'],
    ['reaping', {}, true, hours(1), 'act'],
    ['reaping', {}, false, hours(9), 'act'],
    ['failed', { nextAttemptAt }, true, hours(19), 'wait'],
    ['failed', { nextAttemptAt }, true, hours(20), 'act'],
    ['failed', { nextAttemptAt }, false, hours(20), 'doubt'],
    ['reaped', { undo }, true, hours(19), 'wait'],
    ['reaped', { undo }, true, hours(20), 'close'],
    ['reaped', { undo }, false, hours(20), 'doubt'],
    ['purging', {}, true, hours(1), 'close'],
    ['done', {}, true, hours(99), 'nothing'],
    ['disarmed', {}, true, hours(99), 'nothing'],
    ['orphaned', {}, true, hours(99), 'nothing'],
  ] as const)('%s %j, clock sane: %s, at %d: %s', (state, more, sane, now, done) =>
    expect(decide(lifetime({ state, ...more }), sane, now).do).toBe(done),
  );

  it('law: destroys nothing before the deadline, whatever the clock', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8 * 3600 - 1 }), fc.boolean(), (s, sane) => {
        expect(decide(lifetime(), sane, t0 + s * 1000).do).toBe('wait');
      }),
    );
  });
});

const idle = (more: object) =>
  lifetime({
    idle: {
      afterSeconds: 3600,
      everySeconds: 600,
      probes: ['tcp:22'],
      lastActivityAt: formatInstant(t0),
      lastActive: null,
      idleSamples: 3,
      ...more,
    },
  });

describe('deadlines', () => {
  it('idle counts from three quiet samples on', () => {
    expect([deadline(idle({ idleSamples: 2 })), deadline(idle({}))]).toEqual([hours(8), hours(1)]);
  });
  it('activity moves it, the hard cap wins', () => {
    expect(deadline(idle({ lastActivityAt: formatInstant(hours(2)) }))).toBe(hours(3));
    expect(deadline(idle({ lastActivityAt: formatInstant(hours(7.5)) }))).toBe(hours(8));
  });
  it('a run is never idle in its first quarter of an hour', () =>
    expect(deadline(idle({ afterSeconds: 1 }))).toBe(t0 + 15 * 60_000));
});

describe('notices and wakes', () => {
  const noticed = lifetime({ noticeSeconds: [3600, 600] });
  it('each lead is due once', () => {
    expect(dueNotices(noticed, hours(7) - 1)).toEqual([]);
    const [first = ''] = dueNotices(noticed, hours(7));
    expect(first).toBe('2026-11-20T18:00:00Z-3600');
    expect(dueNotices({ ...noticed, noticed: [first] }, hours(7.5))).toEqual([]);
    expect(dueNotices(noticed, hours(8))).toHaveLength(2);
  });
  it('the next wake is the earliest of all', () => {
    expect(nextWake(noticed, t0)).toBe(hours(7));
    expect(nextWake(lifetime(), t0)).toBe(hours(8));
    expect(nextWake(idle({}), t0)).toBe(t0 + 600_000);
    expect(nextWake(lifetime({ state: 'done' }), t0)).toBeNull();
    expect(nextWake(lifetime({ state: 'failed', nextAttemptAt }), t0)).toBe(hours(20));
    expect(nextWake(lifetime({ state: 'reaped', undo }), t0)).toBe(hours(20));
  });
});

it('law: a lifetime survives being written and read', () => {
  const text = fc.string();
  fc.assert(
    fc.property(text, fc.array(text, { minLength: 1 }), fc.nat(), (note, command, generation) => {
      const made = lifetime({
        note,
        generation: generation + 1,
        target: { type: 'command', command, undo: null, notify: null },
      });
      expect(Lifetime.parse(JSON.parse(JSON.stringify(made)))).toEqual(made);
    }),
  );
});
