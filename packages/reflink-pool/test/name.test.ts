import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baseOf, checkLabel, checkVolume, fileOf, isVolume, revisionFile, roleOf, tempOf } from '../src/name.ts';
import { near } from '../src/nearest.ts';
import { parseReference } from '../src/reference.ts';

const longest = 'x'.repeat(63);
const good = [
  'a',
  'A0',
  '0',
  'vm/root',
  'a/b/c/d',
  'a.b',
  'a_b-c',
  'dirty',
  'a-dirty/b',
  'x-cow/y',
  longest,
  'img',
  'a.im',
  'v2',
  'a..b',
];
const bad = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.a',
  '-a',
  '_a',
  'a/../b',
  '..',
  'a/b/c/d/e',
  `${longest}x`,
  'a b',
  'a@b',
  'ä',
  'a~b',
  'a.img',
  'x.imgs/y',
  'a-dirty',
  'a-precache',
  'a-import',
  'a-cow',
  '.platter',
  '.platter/x',
  'a\n',
];

describe('volume names', () => {
  it.each(good)('%s is one', (name) => expect(checkVolume(name)).toBe(name));
  it.each(bad)('%j is none, and the rule is said', (name) => expect(() => checkVolume(name)).toThrow('1-4 parts'));
  it.each(['head', 'latest', 'A', '1a', '', 'a@b', 'x'.repeat(64)])('%j is no label', (name) =>
    expect(() => checkLabel(name)).toThrow('not a label'),
  );
});

const segment = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,10}$/).filter(isVolume);

describe('file names', () => {
  it('lead from every role to its name and back, for this volume and no other', () => {
    fc.assert(
      fc.property(segment, segment, fc.integer({ min: 1, max: 2 ** 53 - 1 }), (base, other, number) => {
        for (const role of ['head', 'work', 'prepared', 'import'] as const) {
          expect(roleOf(base, fileOf(base, role))).toEqual({ role });
          expect(baseOf(fileOf(base, role))).toBe(base);
          expect(roleOf(base, tempOf(fileOf(base, role), new Uint8Array(8)))).toEqual({ role: 'temp' });
          if (other !== base) expect(roleOf(other, fileOf(base, role))).toBeNull();
        }
        const name = revisionFile(base, number, 1_700_000_000_123_456_789n);
        expect(roleOf(base, name)).toEqual({ role: 'revision', number, time: '2023-11-14T22:13:20Z' });
      }),
    );
  });

  it.each([
    ['v.img.3@2026-11-07T08:12:44Z~abcdefgh', 'temp'],
    ['v-dirty.img~0123_abc', 'temp'],
    ['v.img.03@2026-11-07T08:12:44Z', undefined],
    ['v.img.0@2026-11-07T08:12:44Z', undefined],
    ['v.img.9007199254740993@2026-11-07T08:12:44Z', undefined],
    ['v.img.x@2026-11-07T08:12:44Z', undefined],
    ['v.img@2026-11-07T08:12:44Z', undefined],
    ['v.img.3@2026-11-07T08:12:44', undefined],
    ['v.img.foo', undefined],
    ['v.img~abc', undefined],
    ['v-cow.img', undefined],
    ['v2.img', undefined],
    ['v-dirty.img.1@2026-11-07T08:12:44Z', undefined],
  ])('%s is %s of v', (name, role) => expect(roleOf('v', name)?.role).toBe(role));

  it('do not take data2 for data', () => {
    expect(roleOf('data', 'data2.img~abcdefgh')).toBeNull();
    expect(roleOf('a', 'a-dirty.img')).toEqual({ role: 'work' });
  });
});

describe('references', () => {
  it.each([
    ['vm/root', { volume: 'vm/root', target: 'head' }],
    ['vm/root@7', { volume: 'vm/root', target: 7 }],
    ['vm/root@latest', { volume: 'vm/root', target: 'latest' }],
    ['vm/root@nightly-20', { volume: 'vm/root', target: 'nightly-20' }],
  ])('%s', (text, reference) => expect(parseReference(text)).toEqual(reference));
  it.each(['v@0', 'v@007', 'v@9007199254740993', 'v@', 'v@A', '@1', 'v@a@b'])('%s is refused', (text) =>
    expect(() => parseReference(text)).toThrow(/is not a/),
  );
  it('that miss get the nearest names', () => {
    expect(near('dev/rot', ['dev/root', 'dev/data', 'ci', 'x', 'y'])).toEqual(['dev/root', 'dev/data', 'ci']);
  });
});
