import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buckets, formatPolicy, historyOff, parsePolicy } from '../src/policy.ts';
import { type Item, plan } from '../src/retention.ts';

const now = Date.parse('2026-11-20T12:00:00Z');
const hour = 3_600_000;
const item = (number: number, time: number | string, more: Partial<Item> = {}): Item => ({
  number,
  image: `i${number}`,
  time: typeof time === 'number' ? time : Date.parse(time),
  ...{ twin: false, side: false, label: null, pins: [], expiresAt: null, set: null, exported: false },
  ...more,
});
const told = (items: readonly Item[], policy: string) =>
  plan(items, parsePolicy(policy), now).map(
    ({ item, keep, reason }) => `${item.number} ${keep ? 'keep' : 'remove'} ${reason}`,
  );

describe('policies', () => {
  it.each([
    'min=all',
    'min=none',
    'min=latest,count=1',
    'min=2d,daily=14,weekly=8',
    'min=90s,count=all,hourly=24,monthly=all,yearly=3,free=20G',
    'min=1500ms,free=15%',
  ])('%s reads back', (text) => expect(formatPolicy(parsePolicy(text))).toBe(text));
  it.each([
    '',
    'daily',
    'daily=7,daily=8',
    'dayly=7',
    'count=-1',
    'count=01',
    'min=soon',
    'free=101%',
    'free=1.5G',
    'min=all,',
  ])('%j is none', (text) => expect(() => parsePolicy(text)).toThrow());
  it('with nothing to keep turn the history off', () => {
    expect(historyOff(parsePolicy('count=0'))).toBe(true);
    expect(historyOff(parsePolicy('min=none,free=10%'))).toBe(true);
    expect(historyOff(parsePolicy('daily=1'))).toBe(false);
  });
});

describe('retention', () => {
  it('keeps what the table says, the first rule that fits', () => {
    const items = [
      item(1, now, { twin: true, pins: ['x'] }),
      item(2, now, { pins: ['backup-chain'], expiresAt: 0 }),
      item(3, now, { expiresAt: now, label: 'l' }),
      item(4, now, { label: 'l' }),
      item(5, now, { set: 's' }),
      item(6, now, { exported: true }),
      item(7, now, { image: 'i9' }),
      item(8, now),
      item(9, now),
    ];
    expect(told(items, 'count=1')).toEqual([
      '1 keep head',
      '2 keep pinned by backup-chain',
      '3 remove expired',
      '4 keep label l',
      '5 keep set s',
      '6 keep open export',
      '7 remove duplicate of 9',
      '8 remove beyond policy',
      '9 keep count 1/1',
    ]);
  });

  it('spares the older state while a twin of an interrupted commit is the newest name', () => {
    expect(told([item(1, now), item(2, now, { twin: true })], 'count=1')).toEqual(['1 keep count 1/1', '2 keep head']);
  });

  it('counts side revisions apart, so that they never push out the last clean state', () => {
    const items = [item(1, now), item(2, now, { side: true }), item(3, now, { side: true })];
    expect(told(items, 'count=1')).toEqual(['1 keep count 1/1', '2 remove beyond policy', '3 keep count 1/1']);
  });

  it('takes the first of a day, keeps what is younger than the minimum, and whatever comes from the future', () => {
    const items = [
      item(1, '2026-11-18T01:00:00Z'),
      item(2, '2026-11-18T23:00:00Z'),
      item(3, '2026-11-20T11:30:00Z'),
      item(4, '2026-11-21T00:00:00Z'),
    ];
    expect(told(items, 'min=1h,daily=2')).toEqual([
      '1 keep daily (2026-11-18)',
      '2 remove beyond policy',
      '3 keep min',
      '4 keep min',
    ]);
  });

  it('knows leap days and ISO week 53', () => {
    const leap = Date.parse('2028-03-01T00:00:00Z');
    const verdict = (items: Item[], policy: string) => plan(items, parsePolicy(policy), leap).map(({ keep }) => keep);
    expect(verdict([item(1, '2028-02-29T23:00:00Z'), item(2, '2028-02-28T23:00:00Z')], 'daily=1')).toEqual([
      true,
      false,
    ]);
    const turn = Date.parse('2027-01-03T12:00:00Z'); // a Sunday: still week 53 of 2026
    const weeks = [item(1, '2026-12-28T00:00:00Z'), item(2, '2027-01-01T00:00:00Z'), item(3, '2026-12-20T00:00:00Z')];
    expect(plan(weeks, parsePolicy('weekly=1'), turn).map(({ keep }) => keep)).toEqual([true, false, false]);
  });
});

const items = fc
  .array(
    fc.record({
      age: fc.integer({ min: -5, max: 900 * 24 }),
      image: fc.nat(30),
      twin: fc.boolean(),
      side: fc.boolean(),
      mark: fc.constantFrom('none', 'none', 'none', 'pin', 'label', 'old'),
    }),
    { maxLength: 25 },
  )
  .map((some) =>
    some.map(({ age, image, twin, side, mark }, index) =>
      item(index + 1, now - age * hour, {
        image: `i${image}`,
        twin: twin && image < 2,
        side,
        pins: mark === 'pin' ? ['p'] : [],
        label: mark === 'label' ? `l${index}` : null,
        expiresAt: mark === 'old' ? now - 1 : null,
      }),
    ),
  );
const keys = ['count', ...buckets] as const;
const policies = fc
  .record(Object.fromEntries(keys.map((key) => [key, fc.nat(4)])))
  .chain((counts) =>
    fc.constantFrom('none', 'latest', '36h').map((min) => ({ min, ...counts }) as Record<string, string | number>),
  );
const text = (policy: Record<string, string | number>) =>
  Object.entries(policy)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
const keptBy = (some: readonly Item[], policy: string) =>
  plan(some, parsePolicy(policy), now).flatMap(({ item, keep }) => (keep ? [item] : []));

describe('L3', () => {
  it('a plan applied leaves nothing more to remove', () => {
    fc.assert(
      fc.property(items, policies, (some, policy) => {
        const kept = keptBy(some, text(policy));
        expect(keptBy(kept, text(policy))).toEqual(kept);
      }),
    );
  });

  it('keeps at least what its minimum alone keeps', () => {
    fc.assert(
      fc.property(items, policies, (some, policy) => {
        expect(keptBy(some, text(policy))).toEqual(expect.arrayContaining(keptBy(some, `min=${policy.min}`)));
      }),
    );
  });

  it('under schedules only, a newer image never takes away what stands for an older period', () => {
    fc.assert(
      fc.property(items, fc.nat(200), (some, later) => {
        const plain = some.map((one) => ({ ...one, image: `u${one.number}`, twin: false, expiresAt: null }));
        const newer = item(100, Math.max(now, ...plain.map(({ time }) => time)) + later * hour);
        const policy = 'hourly=3,daily=5,weekly=4,monthly=6,yearly=2';
        expect(keptBy([...plain, newer], policy)).toEqual(expect.arrayContaining(keptBy(plain, policy)));
      }),
    );
  });

  it('removes no name of the head and nothing pinned', () => {
    fc.assert(
      fc.property(items, policies, (some, policy) => {
        const firm = some.filter(({ twin, pins }) => twin || pins.length > 0);
        expect(keptBy(some, text(policy))).toEqual(expect.arrayContaining(firm));
      }),
    );
  });
});
