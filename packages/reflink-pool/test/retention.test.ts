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

describe('schedules, golden', () => {
  const at = (moment: string, ...times: string[]) => ({ now: Date.parse(moment), times });
  const judged = ({ now, times }: ReturnType<typeof at>, policy: string) => {
    const items = times.map((time, index) => item(index + 1, time));
    return plan(items, parsePolicy(policy), now).map(
      ({ item, keep, reason }) => `${item.number} ${keep ? reason : '-'}`,
    );
  };

  it.each([
    [
      'hours: the first of each, as far back as N hours begin',
      'hourly=2',
      at(
        '2026-11-20T12:30:00Z',
        ...['2026-11-20T09:59:59Z', '2026-11-20T10:00:00Z', '2026-11-20T10:59:59Z'],
        ...['2026-11-20T11:10:00Z', '2026-11-20T12:00:00Z', '2026-11-20T12:29:00Z'],
      ),
      ['1 -', '2 hourly (2026-11-20)', '3 -', '4 hourly (2026-11-20)', '5 hourly (2026-11-20)', '6 -'],
    ],
    [
      'days: they begin at midnight UTC',
      'daily=1',
      at(
        '2026-11-20T00:00:00Z',
        ...['2026-11-18T23:59:59Z', '2026-11-19T00:00:00Z', '2026-11-19T23:59:59Z', '2026-11-20T00:00:00Z'],
      ),
      ['1 -', '2 daily (2026-11-19)', '3 -', '4 daily (2026-11-20)'],
    ],
    [
      'a leap day: 29 February 2028 is a day of its own, and the one before 1 March',
      'daily=1',
      at(
        '2028-03-01T08:00:00Z',
        ...['2028-02-28T12:00:00Z', '2028-02-29T00:00:00Z', '2028-02-29T12:00:00Z', '2028-03-01T07:00:00Z'],
      ),
      ['1 -', '2 daily (2028-02-29)', '3 -', '4 daily (2028-03-01)'],
    ],
    [
      'no leap day: 1900 and 2100 are none, so 28 February is the day before 1 March',
      'daily=1',
      at('2100-03-01T08:00:00Z', '2100-02-27T12:00:00Z', '2100-02-28T12:00:00Z'),
      ['1 -', '2 daily (2100-02-28)'],
    ],
    [
      'weeks begin on Monday',
      'weekly=1',
      at(
        '2026-11-18T00:00:00Z',
        ...['2026-11-08T23:59:59Z', '2026-11-09T00:00:00Z', '2026-11-15T23:59:59Z', '2026-11-16T00:00:00Z'],
      ),
      ['1 -', '2 weekly (2026-11-09)', '3 -', '4 weekly (2026-11-16)'],
    ],
    [
      'ISO week 53 of 2026 goes on into January 2027',
      'weekly=1',
      at(
        '2027-01-05T00:00:00Z',
        '2026-12-27T12:00:00Z',
        '2026-12-28T00:00:00Z',
        '2027-01-03T12:00:00Z',
        '2027-01-04T00:00:00Z',
      ),
      ['1 -', '2 weekly (2026-12-28)', '3 -', '4 weekly (2027-01-04)'],
    ],
    [
      'months: the first weekly one of the month, which a week that began before it is not',
      'monthly=1',
      at(
        '2026-12-01T12:00:00Z',
        ...['2026-10-26T00:00:00Z', '2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', '2026-11-09T00:00:00Z'],
      ),
      ['1 -', '2 -', '3 monthly (2026-11-02)', '4 -'],
    ],
    [
      'months over the turn of a year, of different lengths',
      'monthly=2',
      at(
        '2027-01-31T12:00:00Z',
        '2026-10-31T00:00:00Z',
        '2026-11-30T00:00:00Z',
        '2026-12-31T00:00:00Z',
        '2027-01-31T00:00:00Z',
      ),
      ['1 -', '2 monthly (2026-11-30)', '3 monthly (2026-12-31)', '4 monthly (2027-01-31)'],
    ],
    [
      'years: the first monthly one of the year',
      'yearly=1',
      at(
        '2026-06-01T00:00:00Z',
        ...['2024-12-30T00:00:00Z', '2025-01-01T00:00:00Z', '2025-01-06T00:00:00Z', '2025-02-03T00:00:00Z'],
      ),
      ['1 -', '2 -', '3 yearly (2025-01-06)', '4 -'],
    ],
    [
      'the finest bucket that keeps is named',
      'hourly=1,daily=1,weekly=1,monthly=1,yearly=1',
      at(
        '2026-11-20T12:30:00Z',
        '2025-03-03T00:00:00Z',
        '2026-10-05T00:00:00Z',
        '2026-11-09T00:00:00Z',
        '2026-11-19T00:00:00Z',
        '2026-11-20T12:00:00Z',
      ),
      [
        '1 yearly (2025-03-03)',
        '2 monthly (2026-10-05)',
        '3 weekly (2026-11-09)',
        '4 daily (2026-11-19)',
        '5 hourly (2026-11-20)',
      ],
    ],
    [
      'all: every period, however long ago',
      'yearly=all',
      at('2026-11-20T12:00:00Z', '1971-05-03T00:00:00Z', '1999-12-27T00:00:00Z', '1999-12-28T00:00:00Z'),
      ['1 yearly (1971-05-03)', '2 yearly (1999-12-27)', '3 -'],
    ],
    [
      'a clock that was stepped back: by time, so a higher number can be the first of its day',
      'daily=1',
      at('2026-11-20T12:00:00Z', '2026-11-19T09:00:00Z', '2026-11-19T11:00:00Z', '2026-11-19T08:00:00Z'),
      ['1 -', '2 -', '3 daily (2026-11-19)'],
    ],
    [
      'the same second twice: the lower number stands for it',
      'hourly=1',
      at('2026-11-20T12:00:00Z', '2026-11-20T11:00:00Z', '2026-11-20T11:00:00Z'),
      ['1 hourly (2026-11-20)', '2 -'],
    ],
    [
      'stamps from the future: each first of its period stays, until its time has come and gone',
      'daily=1',
      at('2026-11-20T12:00:00Z', '2026-11-21T00:00:00Z', '2026-11-21T09:00:00Z', '2031-01-01T00:00:00Z'),
      ['1 daily (2026-11-21)', '2 -', '3 daily (2031-01-01)'],
    ],
    ['nothing: no key keeps', 'min=none', at('2026-11-20T12:00:00Z', '2026-11-20T11:59:59Z'), ['1 -']],
  ])('%s', (_, policy, scene, expected) => expect(judged(scene, policy)).toEqual(expected));
});

describe('rules, golden', () => {
  const day = 24 * hour;
  it.each<[string, string, Item[], string[]]>([
    [
      'min: younger is kept, as old is not',
      'min=1d',
      [item(1, now - day), item(2, now - day + 1)],
      ['1 remove beyond policy', '2 keep min'],
    ],
    ['min: the future is young', 'min=1ms', [item(1, now + 1)], ['1 keep min']],
    [
      'min=all keeps all that has not expired',
      'min=all',
      [item(1, 0), item(2, 0, { expiresAt: now })],
      ['1 keep min', '2 remove expired'],
    ],
    [
      'min=latest: the newest that is neither of the head nor aside',
      'min=latest',
      [item(1, 0), item(2, 0), item(3, 0, { side: true }), item(4, 0, { twin: true })],
      ['1 remove beyond policy', '2 keep min', '3 remove beyond policy', '4 keep head'],
    ],
    [
      'min=latest: where all are aside, the newest of them',
      'min=latest',
      [item(1, 0, { side: true }), item(2, 0, { side: true })],
      ['1 remove beyond policy', '2 keep min'],
    ],
    [
      'a pin outlives expiry and every policy',
      'min=none',
      [item(1, 0, { pins: ['b', 'c'], expiresAt: 0 })],
      ['1 keep pinned by b, c'],
    ],
    [
      'expiry is of the instant itself',
      'min=all',
      [item(1, 0, { expiresAt: now - 1 }), item(2, 0, { expiresAt: now + 1 })],
      ['1 remove expired', '2 keep min'],
    ],
    [
      'expiry goes before label, set and export',
      'min=all',
      [item(1, 0, { expiresAt: 0, label: 'l', set: 's', exported: true })],
      ['1 remove expired'],
    ],
    ['a name of the head does not expire', 'min=none', [item(1, 0, { twin: true, expiresAt: 0 })], ['1 keep head']],
    [
      'what rules 1 to 4 settle takes no place of count',
      'count=1',
      [
        item(1, 0),
        item(2, 0, { label: 'l' }),
        item(3, 0, { pins: ['p'] }),
        item(4, 0, { set: 's' }),
        item(5, 0, { exported: true }),
      ],
      ['1 keep count 1/1', '2 keep label l', '3 keep pinned by p', '4 keep set s', '5 keep open export'],
    ],
    ['what min keeps does', 'min=latest,count=1', [item(1, 0), item(2, 0)], ['1 remove beyond policy', '2 keep min']],
    [
      'duplicates: the highest number stays',
      'count=5',
      [item(1, 0, { image: 'a' }), item(2, 0, { image: 'a' }), item(3, 0, { image: 'a' })],
      ['1 remove duplicate of 3', '2 remove duplicate of 3', '3 keep count 1/5'],
    ],
    [
      'a duplicate of what expires is none',
      'count=5',
      [item(1, 0, { image: 'a' }), item(2, 0, { image: 'a', expiresAt: 0 })],
      ['1 keep count 1/5', '2 remove expired'],
    ],
    [
      'a duplicate of what a pin keeps goes',
      'count=5',
      [item(1, 0, { image: 'a' }), item(2, 0, { image: 'a', pins: ['p'] })],
      ['1 remove duplicate of 2', '2 keep pinned by p'],
    ],
    [
      'a labelled duplicate stays under its label',
      'count=0',
      [item(1, 0, { image: 'a', label: 'l' }), item(2, 0, { image: 'a' })],
      ['1 keep label l', '2 remove beyond policy'],
    ],
    [
      'count=all, and each line for itself',
      'count=all',
      [item(1, 0), item(2, 0, { side: true })],
      ['1 keep count 1/all', '2 keep count 1/all'],
    ],
  ])('%s', (_, policy, items, expected) => expect(told(items, policy)).toEqual(expected));

  it('only what number or schedule keep is to spare', () => {
    const items = [
      item(1, now - 50 * day),
      item(2, now - 3 * hour),
      item(3, 0, { pins: ['p'] }),
      item(4, 0),
      item(5, now),
    ];
    const spare = plan(items, parsePolicy('min=1h,count=2,daily=1'), now).filter((one) => one.spare);
    expect(spare.map(({ item, reason }) => `${item.number} ${reason}`)).toEqual([
      '2 daily (2026-11-20)',
      '4 count 2/2',
    ]);
  });
});

const items = fc
  .array(
    fc.record({
      age: fc.integer({ min: -5, max: 900 * 24 }),
      image: fc.nat(30),
      twin: fc.boolean(),
      side: fc.boolean(),
      mark: fc.constantFrom('none', 'none', 'none', 'none', 'pin', 'label', 'old', 'set', 'export'),
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
        set: mark === 'set' ? 's' : null,
        exported: mark === 'export',
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

  it('a larger number of periods keeps all that a smaller one does', () => {
    fc.assert(
      fc.property(items, policies, fc.constantFrom(...buckets), (some, policy, bucket) => {
        const larger = { ...policy, [bucket]: Number(policy[bucket]) + 2 };
        expect(keptBy(some, text(larger))).toEqual(expect.arrayContaining(keptBy(some, text(policy))));
      }),
      { numRuns: 500 },
    );
  });

  it('a larger count does, too; or it keeps an older one that stands for the month in its place', () => {
    const month = ({ time }: Item) => new Date(time).toISOString().slice(0, 7);
    fc.assert(
      fc.property(items, policies, (some, policy) => {
        const larger = keptBy(some, text({ ...policy, count: Number(policy.count) + 1 }));
        const lost = keptBy(some, text(policy)).filter((one) => !larger.includes(one));
        const replaced = lost.filter((one) =>
          larger.some((other) => month(other) === month(one) && other.time <= one.time),
        );
        expect(replaced).toEqual(lost);
      }),
      { numRuns: 1000 },
    );
  });

  it('which happens where numbers do not ascend in time: what count keeps becomes the first of a week, and the month', () => {
    const items = [item(1, '2026-09-28T00:00:00Z'), item(2, '2026-10-05T00:00:00Z'), item(3, '2026-10-01T00:00:00Z')];
    const numbers = (policy: string) => keptBy(items, policy).map(({ number }) => number);
    expect([numbers('monthly=1'), numbers('monthly=1,count=1')]).toEqual([[2], [3]]);
    expect(numbers('monthly=1,count=2')).toEqual([2, 3]);
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

  it('removes no name of the head, and nothing pinned, labelled, exported or in a set', () => {
    fc.assert(
      fc.property(items, policies, (some, policy) => {
        const named = (one: Item) => one.label !== null || one.set !== null || one.exported;
        const firm = some.filter((one) => one.twin || one.pins.length > 0 || (named(one) && one.expiresAt === null));
        expect(keptBy(some, text(policy))).toEqual(expect.arrayContaining(firm));
      }),
    );
  });
});
