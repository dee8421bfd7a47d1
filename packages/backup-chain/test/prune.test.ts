import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { type Dated, expire, type Pinned, type Policy, periods } from '../src/expire.ts';

const set = (capturedAt: string, isComplete = true, id = capturedAt): Dated => ({
  id,
  capturedAt,
  isComplete: () => isComplete,
});
const now = Date.parse('2026-03-01T12:00:00Z');
const day = 86_400_000;

/** What is kept and why, `id: reason, reason`, newest first. */
const kept = (sets: Dated[], policy: Policy, pins: Pinned[] = [], at = now): string[] =>
  expire(sets, { policy, pins, now: at }).kept.map(({ id, reasons }) => `${id}: ${reasons.join(', ')}`);

describe('expire', () => {
  it('keeps the newest of each of the newest non-empty buckets; empty ones do not count', () => {
    const sets = [
      '2026-01-01T01:00:00Z',
      '2026-01-01T23:00:00Z',
      '2026-02-10T05:00:00Z',
      '2026-02-28T01:00:00Z',
      '2026-02-28T02:00:00Z',
    ];
    expect(
      kept(
        sets.map((at) => set(at)),
        { daily: 3 },
      ),
    ).toEqual([
      '2026-02-28T02:00:00Z: daily 2026-02-28, newest complete',
      '2026-02-10T05:00:00Z: daily 2026-02-10',
      '2026-01-01T23:00:00Z: daily 2026-01-01',
    ]);
    expect(
      kept(
        sets.map((at) => set(at)),
        { hourly: 2, monthly: 2, yearly: 2 },
      ),
    ).toEqual([
      '2026-02-28T02:00:00Z: hourly 2026-02-28T02, monthly 2026-02, yearly 2026, newest complete',
      '2026-02-28T01:00:00Z: hourly 2026-02-28T01',
      '2026-01-01T23:00:00Z: monthly 2026-01',
    ]);
    expect(
      kept(
        sets.map((at) => set(at)),
        { last: 2 },
      ),
    ).toEqual(['2026-02-28T02:00:00Z: last 1, newest complete', '2026-02-28T01:00:00Z: last 2']);
  });

  it('counts ISO weeks: they begin on Monday, and some years have 53', () => {
    const sets = [
      '2020-12-27T23:59:59Z',
      '2020-12-28T00:00:00Z',
      '2021-01-03T23:59:59Z',
      '2021-01-04T00:00:00Z',
      '2024-12-29T12:00:00Z',
      '2024-12-30T12:00:00Z',
      '2026-12-31T12:00:00Z',
      '2027-01-03T12:00:00Z',
      '2027-01-04T12:00:00Z',
    ];
    const all = kept(
      sets.map((at) => set(at)),
      { weekly: 99 },
      [],
      Date.parse('2027-02-01T00:00:00Z'),
    );
    expect(all).toEqual([
      '2027-01-04T12:00:00Z: weekly 2027-W01, newest complete',
      '2027-01-03T12:00:00Z: weekly 2026-W53',
      '2024-12-30T12:00:00Z: weekly 2025-W01',
      '2024-12-29T12:00:00Z: weekly 2024-W52',
      '2021-01-04T00:00:00Z: weekly 2021-W01',
      '2021-01-03T23:59:59Z: weekly 2020-W53',
      '2020-12-27T23:59:59Z: weekly 2020-W52',
    ]);
  });

  it('gives the leap day a bucket of its own', () => {
    const sets = ['2024-02-28T23:00:00Z', '2024-02-29T00:00:00Z', '2024-02-29T23:59:59.999Z', '2024-03-01T00:00:00Z'];
    const all = kept(
      sets.map((at) => set(at)),
      { daily: 9, monthly: 2 },
    );
    expect(all).toEqual([
      '2024-03-01T00:00:00Z: daily 2024-03-01, monthly 2024-03, newest complete',
      '2024-02-29T23:59:59.999Z: daily 2024-02-29, monthly 2024-02',
      '2024-02-28T23:00:00Z: daily 2024-02-28',
    ]);
  });

  it('takes times to come for the newest, and tells of them', () => {
    const sets = [set('2026-02-28T00:00:00Z'), set('2030-01-01T00:00:00Z'), set('2026-03-01T00:00:00Z')];
    expect(expire(sets, { policy: { last: 1 }, pins: [], now })).toEqual({
      kept: [{ id: '2030-01-01T00:00:00Z', reasons: ['last 1', 'newest complete'] }],
      expired: ['2026-03-01T00:00:00Z', '2026-02-28T00:00:00Z'],
      future: ['2030-01-01T00:00:00Z'],
    });
    expect(kept(sets, { within: 2 * day })).toEqual([
      '2030-01-01T00:00:00Z: within, newest complete',
      '2026-03-01T00:00:00Z: within',
      '2026-02-28T00:00:00Z: within',
    ]);
  });

  it('keeps what is younger than a duration, not what is as old', () => {
    const sets = [
      set('2026-02-28T11:59:59Z'),
      set('2026-02-28T12:00:00Z'),
      set('2026-02-28T12:00:01Z'),
      set('2026-03-01T00:00:00Z'),
    ];
    expect(expire(sets, { policy: { within: day }, pins: [], now }).expired).toEqual([
      '2026-02-28T12:00:00Z',
      '2026-02-28T11:59:59Z',
    ]);
  });

  it('keeps pinned sets as long as their pins hold', () => {
    const sets = [
      set('2026-01-01T00:00:00Z', true, 'a'),
      set('2026-01-02T00:00:00Z', true, 'b'),
      set('2026-01-03T00:00:00Z', true, 'c'),
    ];
    const pins = [
      { set: 'a', name: 'audit', until: null },
      { set: 'a', name: 'over', until: '2026-03-01T12:00:00Z' },
      { set: 'b', name: 'release', until: '2026-03-01T12:00:01Z' },
      { set: 'gone', name: 'x', until: null },
    ];
    expect(kept(sets, { last: 1 }, pins)).toEqual(['c: last 1, newest complete', 'b: pin release', 'a: pin audit']);
  });

  it('breaks ties by the order of the sets: the later is the newer', () => {
    const at = '2026-02-02T00:00:00Z';
    expect(kept([set(at, true, 'z'), set(at, true, 'a')], { daily: 1 })).toEqual([
      'a: daily 2026-02-02, newest complete',
    ]);
  });

  it('always keeps the newest complete set', () => {
    const sets = [
      set('2026-01-01T00:00:00Z', true, 'old'),
      set('2026-01-02T00:00:00Z', true, 'whole'),
      set('2026-01-03T00:00:00Z', false, 'torn'),
    ];
    expect(kept(sets, { last: 1 })).toEqual(['torn: last 1', 'whole: newest complete']);
    expect(kept(sets.slice(2), { within: 1 })).toEqual([]);
  });

  it('has nothing to say of no sets', () => {
    expect(expire([], { policy: { last: 1 }, pins: [], now })).toEqual({ kept: [], expired: [], future: [] });
  });
});

describe('laws of expire (L6)', () => {
  const sets = fc
    .array(fc.tuple(fc.integer({ min: -40 * 24, max: 24 }), fc.boolean()), { maxLength: 30 })
    .map((all) =>
      all.map(([hours, isComplete], n) => set(new Date(now + hours * 3_600_000).toISOString(), isComplete, `s${n}`)),
    );
  const policy = fc.record(
    { ...Object.fromEntries(periods.map((period) => [period, fc.nat(4)])), within: fc.nat(10 * day) },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Policy>;
  const pins = fc.array(
    fc.record({
      set: fc.nat(30).map((n) => `s${n}`),
      name: fc.constant('p'),
      until: fc.constantFrom(null, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
    }),
    { maxLength: 3 },
  );
  const ids = (all: readonly { id: string }[]) => all.map(({ id }) => id);
  const check = effort(500);

  it('the newest complete set is always in it, and nothing is in both', () => {
    fc.assert(
      fc.property(sets, policy, pins, (all, wish, pinned) => {
        const { kept, expired } = expire(all, { policy: wish, pins: pinned, now });
        const whole = all.filter(({ isComplete }) => isComplete());
        const newest = Math.max(...whole.map(({ capturedAt }) => Date.parse(capturedAt)));
        const found = whole.findLast(({ capturedAt }) => Date.parse(capturedAt) === newest);
        if (found) expect(ids(kept)).toContain(found.id);
        expect([...ids(kept), ...expired].sort()).toEqual(ids(all).sort());
      }),
      check,
    );
  });

  it('a policy that asks for more keeps all that one keeps that asks for less', () => {
    fc.assert(
      fc.property(sets, policy, policy, pins, (all, wish, extra, pinned) => {
        const more = { ...wish };
        for (const key of [...periods, 'within'] as const) {
          const sum = (wish[key] ?? 0) + (extra[key] ?? 0);
          if (sum > 0) more[key] = sum;
        }
        const [few, many] = [
          expire(all, { policy: wish, pins: pinned, now }),
          expire(all, { policy: more, pins: [...pinned, { set: 's1', name: 'q', until: null }], now }),
        ];
        expect(ids(many.kept)).toEqual(expect.arrayContaining(ids(few.kept)));
      }),
      check,
    );
  });

  it('what it keeps it keeps again, for the same reasons', () => {
    fc.assert(
      fc.property(sets, policy, pins, (all, wish, pinned) => {
        const once = expire(all, { policy: wish, pins: pinned, now });
        const left = all.filter(({ id }) => ids(once.kept).includes(id));
        expect(expire(left, { policy: wish, pins: pinned, now })).toEqual({
          ...once,
          expired: [],
          future: once.future.filter((id) => ids(once.kept).includes(id)),
        });
      }),
      check,
    );
  });
});
