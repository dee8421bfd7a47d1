import { describe, expect, it } from 'vitest';
import type { Check } from '../src/checked.ts';
import { mayGoOn, type Subject, scrubOrder } from '../src/scrub-plan.ts';

const day = 86_400_000;
const now = Date.parse('2026-01-31T00:00:00Z');
const ago = (days: number, ok = true): Check => ({ at: new Date(now - days * day).toISOString(), ok });
const files = (all: Record<string, Check | null>) =>
  Object.entries(all).map(([path, last]) => ({ path, last }) as Subject);
const order = (all: Record<string, Check | null>, olderThan: number | null = null) =>
  scrubOrder(files(all), { olderThan }, now).map(({ path }) => path);

describe('the order of a scrub', () => {
  it('what was never checked first, by name; then the least recently checked', () => {
    expect(order({ d: ago(1), b: null, c: ago(9), e: ago(5, false), a: null })).toEqual(['a', 'b', 'c', 'e', 'd']);
  });

  it('each file once', () => {
    expect(scrubOrder([...files({ a: null }), ...files({ a: null })], { olderThan: null }, now).length).toBe(1);
  });

  it('--older-than leaves out what was sound since, never what was not', () => {
    expect(order({ a: ago(8), b: ago(7), c: ago(1), d: ago(1, false), e: null }, 7 * day)).toEqual(['e', 'a', 'd']);
  });

  it('a time in the future is recent', () => {
    expect(order({ a: ago(-1), b: ago(1) })).toEqual(['b', 'a']);
    expect(order({ a: ago(-1) }, day)).toEqual([]);
  });
});

describe('whether a further file is begun', () => {
  it.each([
    [{ time: null, bytes: null }, true],
    [{ time: 10, bytes: null }, false],
    [{ time: 11, bytes: null }, true],
    [{ time: null, bytes: 100 }, false],
    [{ time: null, bytes: 101 }, true],
    [{ time: 11, bytes: 100 }, false],
  ])('%j: %s', (limits, may) => {
    expect(mayGoOn({ ...limits, olderThan: null }, { time: 10, bytes: 100 })).toBe(may);
  });
});
