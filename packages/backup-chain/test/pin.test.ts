import { describe, expect, it } from 'vitest';
import { parsePinName } from '../src/pin.ts';
import { parseUntil, pinsAfter, pinWish } from '../src/pin-wish.ts';

const now = Date.parse('2026-01-12T02:00:00Z');
const none = { name: undefined, remove: undefined, until: undefined, reason: undefined };

describe('a pin', () => {
  it.each(['audit', 'release-7', 'a', '0'])('may be called %s', (name) => {
    expect(parsePinName(name)).toBe(name);
  });

  it.each(['', 'a.b', 'A', '-a', 'a-', '../a', 'a/b', 'a\n', 'x'.repeat(64)])('may not be called %j', (name) => {
    expect(() => parsePinName(name)).toThrow('is not a name of a pin');
  });

  it('ends at an instant, after a duration, or never', () => {
    const until = (text: string) => pinWish({ ...none, name: 'a', until: parseUntil(text) }, now);
    expect(until('2026-01-12T02:00:01Z')).toEqual({ name: 'a', reason: null, until: '2026-01-12T02:00:01Z' });
    expect(until('90d')).toEqual({ name: 'a', reason: null, until: '2026-04-12T02:00:00Z' });
    expect(pinWish({ ...none, name: 'a', reason: 'why' }, now)).toEqual({ name: 'a', reason: 'why', until: null });
  });

  it.each(['2026-01-12T02:00:00Z', '2020-01-01T00:00:00Z', '0'])('does not end at %s, which is over', (text) => {
    expect(() => pinWish({ ...none, name: 'a', until: parseUntil(text) }, now)).toThrow('is over');
  });

  it.each(['tomorrow', '2026-01-12', '2026-02-30T00:00:00Z', '-1d'])(
    'does not end at %s, which is no moment',
    (text) => {
      expect(() => parseUntil(text)).toThrow(/is not (an instant|a duration)/);
    },
  );

  it.each([
    [none, 'either --name NAME or --remove NAME'],
    [{ ...none, name: 'a', remove: 'a' }, 'either --name NAME or --remove NAME'],
    [{ ...none, remove: 'a', reason: 'b' }, '--remove takes neither'],
    [{ ...none, remove: 'a', until: { after: 1 } }, '--remove takes neither'],
  ])('is either put on or taken off: %j', (flags, message) => {
    expect(() => pinWish(flags, now)).toThrow(message);
  });

  it('stands among the others by name', () => {
    expect(pinsAfter(['a', 'c'], { name: 'b', reason: null, until: null })).toEqual(['a', 'b', 'c']);
    expect(pinsAfter(['a', 'b'], { name: 'b', reason: null, until: null })).toEqual(['a', 'b']);
    expect(pinsAfter(['a', 'b'], { remove: 'a' })).toEqual(['b']);
  });
});
