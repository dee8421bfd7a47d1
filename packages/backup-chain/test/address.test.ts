import { Invalid } from '@platter/units/invalid';
import { describe, expect, it } from 'vitest';
import { addressName, matching, parseAddress, parseDiskName, parsePair, parsePlace } from '../src/address.ts';
import { compactInstant, digestName, mergesIn, newId, pointName } from '../src/layout.ts';

const ids = ['20260110T020000Z-aaaa', '20260111T020000Z-bbbb', '20260112T020000Z-cccc'];
const candidates = ids.map((id, n) => ({ id, capturedAt: `2026-01-1${n}T02:00:00Z` }));

describe('addresses', () => {
  it.each([
    ['db@latest', 'default/db@latest'],
    ['shop/db@latest', 'shop/db@latest'],
    ['shop/db/data@cp-001', 'shop/db/data@cp-001'],
    ['db@2026-01-11T02:00:00Z', 'default/db@2026-01-11T02:00:00Z'],
  ])('%s is %s', (text, name) => expect(addressName(parseAddress(text))).toBe(name));

  it.each(['db', 'db@', '@x', 'a/b/c/d@x', 'DB@x', 'a//b@x', '-a@x', 'a@-rf', 'a@x/y', '../a@x', 'a/b/.@x', 'a@x y'])(
    '%s is refused',
    (text) => expect(() => parseAddress(text)).toThrow(Invalid),
  );

  it('names end at 63 bytes, of a VM at 253', () => {
    expect(parseDiskName('d'.repeat(63))).toHaveLength(63);
    expect(() => parseDiskName('d'.repeat(64))).toThrow('at most 63');
    expect(parsePlace(`n/${'v'.repeat(253)}`).vm).toHaveLength(253);
    expect(() => parsePlace(`n/${'v'.repeat(254)}`)).toThrow('at most 253');
  });

  it.each([
    [ids[1], [ids[1]]],
    ['20260111', [ids[1]]],
    ['2026011', []],
    ['202601', []],
    ['latest', [ids[2]]],
    ['2026-01-11T23:00:00Z', [ids[1]]],
    ['2026-01-11T02:00:00Z', [ids[1]]],
    ['2025-01-01T00:00:00Z', []],
    ['cp-9', []],
  ])('%s matches %j', (ref, found) => expect(matching(ref as string, candidates)).toEqual(found));

  it('a prefix of several is several', () =>
    expect(matching('20260112T', [...candidates, { id: '20260112T030000Z-dddd', capturedAt: '' }])).toHaveLength(2));

  it('pairs have a name and a value', () => {
    expect(parsePair('data=/a=b', 'DISK=SOURCE')).toEqual(['data', '/a=b']);
    for (const text of ['data', '=x', 'data=']) expect(() => parsePair(text, 'DISK=SOURCE')).toThrow('DISK=SOURCE');
  });
});

describe('names of files', () => {
  it('ids carry their moment and two random bytes', () => {
    expect(newId(Date.parse('2026-01-12T02:03:04.567Z'), Uint8Array.of(0x7f, 0x3a, 9))).toBe('20260112T020304Z-7f3a');
    expect(compactInstant(0)).toBe('19700101T000000Z');
    expect(pointName(7, 'x')).toBe('000007-x.json');
    expect(digestName('x', 2)).toBe('x.2.dig');
  });

  it.each([
    ['a.0.qcow2', 0],
    ['a.12.qcow2', 12],
    ['a.01.qcow2', null],
    ['a.qcow2', null],
    ['b.0.qcow2', null],
    ['a.0.dig', null],
    ['a.-1.qcow2', null],
    ['../a.0.qcow2', null],
  ])('%s belongs to a: %j', (name, merges) => expect(mergesIn(name as string, 'a', 'qcow2')).toBe(merges));
});
