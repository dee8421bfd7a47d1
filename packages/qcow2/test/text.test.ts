import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeText } from '../src/text.ts';

describe('escapeText', () => {
  it.each([
    ['plain /etc/shadow', 'plain /etc/shadow'],
    ['a\nb\0\x7f', 'a\\x0ab\\x00\\x7f'],
    ['größe 盘 💾', 'größe 盘 💾'],
    ['\u009b31m', '\\xc2\\x9b31m'],
    ['a\u202eb', 'a\\xe2\\x80\\xaeb'],
  ])('%j', (text, shown) => {
    expect(escapeText(text)).toBe(shown);
  });

  it.each([
    [[0xff, 0x41], '\\xffA'],
    [[0xc3], '\\xc3'],
    [[0xe2, 0x82, 0x41], '\\xe2\\x82A'],
    [[0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'],
  ])('bytes that are not UTF-8: %j', (bytes, shown) => {
    expect(escapeText(new Uint8Array(bytes))).toBe(shown);
  });

  it('keeps 200 characters and says that there is more', () => {
    expect(escapeText('a'.repeat(200))).toBe('a'.repeat(200));
    expect(escapeText('a'.repeat(201))).toBe(`${'a'.repeat(199)}…`);
    expect(escapeText('\n'.repeat(60))).toBe(`${'\\x0a'.repeat(49)}…`);
  });

  it('gives at most 200 characters, none of them a control', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const shown = escapeText(bytes);
        expect(shown.length).toBeLessThanOrEqual(200);
        expect(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/u.test(shown.replaceAll('\ufffd', ''))).toBe(false);
      }),
    );
  });
});
