import { formatInstant, parseInstant } from '@platter/units/instant';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { armed, type Wish } from '../src/arming.ts';
import { disarmed } from '../src/disarming.ts';
import { extended } from '../src/extending.ts';
import type { Lifetime } from '../src/records.ts';
import { hours, lifetime, moment, t0, wish } from './sample.ts';

const arm = (
  last: Lifetime | null,
  now: number,
  { restart = false, ...more }: Partial<Wish> & { restart?: boolean } = {},
) => armed('ci-42', last, { wish: wish(more), moment: moment(now), restart });

describe('arm', () => {
  it('anchors a new run', () =>
    expect(arm(null, t0)).toMatchObject({
      generation: 1,
      state: 'armed',
      expiresAt: '2026-11-20T18:00:00Z',
      timer: { backend: 'none' },
    }));
  it('never ends before its time, to the millisecond', () =>
    expect(arm(null, t0 + 1)).toMatchObject({ expiresAt: '2026-11-20T18:00:01Z' }));
  it('the same again is already so', () => expect(arm(arm(null, t0), hours(1))).toBeNull());
  it('the same, already due, is refused', () => expect(() => arm(arm(null, t0), hours(8))).toThrow('already due'));
  it('other settings keep the anchor and what was added', () => {
    const longer = extended(arm(null, t0) as Lifetime, 3600, moment(hours(1)));
    expect(arm(longer, hours(2), { maxRunSeconds: 4 * 3600 })).toMatchObject({
      armedAt: formatInstant(t0),
      expiresAt: formatInstant(hours(5)),
      generation: 3,
    });
  });
  it('other settings never pass the ceiling', () =>
    expect(arm(arm(null, t0), hours(1), { maxRunSeconds: 3600, maxLifetimeSeconds: 1800 * 3 })).toMatchObject({
      expiresAt: formatInstant(hours(1)),
    }));
  it('--restart and ended lifetimes begin a new run', () => {
    expect(arm(arm(null, t0), hours(2), { restart: true })).toMatchObject({
      armedAt: formatInstant(hours(2)),
      generation: 2,
    });
    for (const state of ['done', 'disarmed', 'orphaned', 'reaped'] as const)
      expect(arm(lifetime({ state, generation: 7, attempts: 3 }), hours(2))).toMatchObject({
        armedAt: formatInstant(hours(2)),
        generation: 8,
        attempts: 0,
      });
  });
  it.each(['reaping', 'purging'] as const)('%s is refused', (state) =>
    expect(() => arm(lifetime({ state }), t0)).toThrow(state),
  );
  it('keeps fields it does not know, and 20 lines of history', () => {
    let last: Lifetime | null = { ...lifetime({ state: 'done' }), later: 1 } as Lifetime;
    for (let n = 0; n < 25; n += 1) last = arm(last, hours(n), { restart: true });
    expect(last).toMatchObject({ later: 1 });
    expect(last?.history).toHaveLength(20);
  });
});

describe('extend', () => {
  it('adds to the deadline, or to now when that has passed', () => {
    expect(extended(lifetime(), 3600, moment(hours(1))).expiresAt).toBe(formatInstant(hours(9)));
    expect(extended(lifetime(), 60, moment(hours(10))).expiresAt).toBe(formatInstant(hours(10) + 60_000));
  });
  it('reaches the ceiling exactly, and not a second more', () => {
    const capped = lifetime({ hardExpiresAt: formatInstant(hours(10)) });
    expect(extended(capped, 7200, moment(t0)).expiresAt).toBe(formatInstant(hours(10)));
    expect(() => extended(capped, 7201, moment(t0))).toThrow('at most 2h0m0s fits');
    expect(extended(capped, null, moment(t0)).expiresAt).toBe(formatInstant(hours(10)));
    expect(() => extended(capped, 1, moment(hours(11)))).toThrow('nothing fits');
  });
  it('is refused without a ceiling to go to, and where nothing runs', () => {
    expect(() => extended(lifetime(), null, moment(t0))).toThrow('no ceiling');
    for (const state of ['reaping', 'reaped', 'purging', 'done', 'orphaned', 'disarmed'] as const)
      expect(() => extended(lifetime({ state }), 60, moment(t0))).toThrow(state);
  });
  it('a failed one is armed again', () =>
    expect(
      extended(lifetime({ state: 'failed', nextAttemptAt: formatInstant(hours(9)) }), 60, moment(t0)),
    ).toMatchObject({ state: 'armed', nextAttemptAt: null }));
  it('law: monotonic, and never beyond the ceiling', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 7 }), fc.integer({ min: 0, max: 40 }), (by, hour) => {
        const before = lifetime({ hardExpiresAt: formatInstant(hours(24)) });
        try {
          const after = parseInstant(extended(before, by, moment(hours(hour))).expiresAt);
          expect(after > parseInstant(before.expiresAt) && after > hours(hour) && after <= hours(24)).toBe(true);
        } catch (error) {
          expect(String(error)).toContain('ceiling');
        }
      }),
    );
  });
});

describe('disarm', () => {
  it('keeps the deadline as data; twice is once', () => {
    const once = disarmed(lifetime(), moment(t0));
    expect(once).toMatchObject({ state: 'disarmed', expiresAt: lifetime().expiresAt, generation: 2 });
    expect(disarmed(once, moment(t0))).toBe(once);
  });
  it.each(['reaping', 'purging'] as const)('%s is refused', (state) =>
    expect(() => disarmed(lifetime({ state }), moment(t0))).toThrow(state),
  );
});
