import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../src/duration.ts';
import { formatInstant, parseInstant } from '../src/instant.ts';
import { Invalid } from '../src/invalid.ts';
import { checkName, dnsLabel, dnsSubdomain } from '../src/name.ts';
import { checkAbsolute } from '../src/path.ts';
import { quote, shellLine } from '../src/shell.ts';
import { formatSize, parseSize, sizeWord } from '../src/size.ts';

describe('size', () => {
  it.each([
    ['10G', 10 * 1024 ** 3],
    ['10Gi', 10 * 1024 ** 3],
    ['0', 0],
    ['65536', 65536],
    ['4K', 4096],
    ['2Pi', 2 * 1024 ** 5],
  ])('%s is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['10GB', '1.5G', '-1', '', ' 1', '1k', '0x10', '9E', '99999999999999999999', '1GiB'])('refuses %j', (text) =>
    expect(() => parseSize(text)).toThrow(Invalid),
  );

  it('law: the word of a size reads back as the size', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSize(sizeWord(bytes)) === bytes));
  });

  it.each([
    [0, '0 bytes'],
    [20 * 1024 ** 3, '20 GiB'],
    [6_500_000, '6.2 MiB'],
    [1536, '1.5 KiB'],
    [412 * 1024 ** 2, '412 MiB'],
  ])('%d bytes read %s', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});

describe('duration', () => {
  it.each([
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['.5h', 1_800_000],
    ['1.h', 3_600_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['500ms', 500],
    ['1µs', 0.001],
    ['1μs', 0.001],
    ['0', 0],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBeCloseTo(ms, 9));

  it.each(['', '.', '1', '5', '-5m', '2y', '1mo', '1h ', 'h', '1h30', '99999999999999999w'])('refuses %j', (text) =>
    expect(() => parseDuration(text)).toThrow(Invalid),
  );

  it.each([
    [28_800_000, '8h0m0s'],
    [41_000, '41s'],
    [71, '71ms'],
    [-90_000, '-1m30s'],
  ])('%d ms read %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('law: whole seconds survive printing and reading', () => {
    fc.assert(fc.property(fc.nat(10 ** 9), (s) => parseDuration(formatDuration(s * 1000)) === s * 1000));
  });
});

describe('instant', () => {
  it('law: seconds survive printing and reading', () => {
    fc.assert(fc.property(fc.nat(4_000_000_000), (s) => parseInstant(formatInstant(s * 1000)) === s * 1000));
  });

  it.each(['2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T00:00:00+01:00', '2026-01-01 00:00:00Z', ''])(
    'refuses %j',
    (text) => expect(() => parseInstant(text)).toThrow(Invalid),
  );
});

describe('names and paths', () => {
  it.each(['a', 'a-b', '0', 'x'.repeat(63)])('%j is a DNS label', (text) =>
    expect(checkName(dnsLabel, text)).toBe(text),
  );
  it.each(['', '-a', 'a-', 'A', 'a.b', 'x'.repeat(64)])('%j is no DNS label', (text) =>
    expect(() => checkName(dnsLabel, text)).toThrow(/DNS label/),
  );
  it('joins labels by dots', () => expect(checkName(dnsSubdomain, 'a.b-c.d')).toBe('a.b-c.d'));
  it.each(['/', '/a', '/a b/c'])('%j is a clean absolute path', (path) => expect(checkAbsolute(path)).toBe(path));
  it.each(['a', '', '/a/../b', '/a//b', '/a/', './a', '/a\nb'])('%j is not', (path) =>
    expect(() => checkAbsolute(path)).toThrow(Invalid),
  );
});

describe('shell', () => {
  it('quotes what a shell would read', () =>
    expect(shellLine(['ls', '--', `it's`, '$x'])).toBe(`ls -- 'it'\\''s' '$x'`));
  it('quotes the empty word', () => expect(quote('')).toBe("''"));
});
