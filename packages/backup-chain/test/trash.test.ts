import { describe, expect, it } from 'vitest';
import { isDataName, isEntryName } from '../src/layout.ts';
import { manifestText, readManifest, seal } from '../src/manifest.ts';

const why = {
  op: 'merge' as const,
  at: '2026-01-12T02:00:00.000Z',
  reason: 'merged into b',
  items: ['disks/data/points/000001-a.json', 'sets/a.d'],
  replaced: { path: 'disks/data/points/000002-b.json', before: '{}\n', after: 'a'.repeat(64) },
};
const read = (change: object) => readManifest('Why', manifestText(seal({ ...why, ...change })));

describe('why.json', () => {
  it('is read as it was written', () => {
    expect(read({}).value).toEqual(seal(why));
    expect(read({ replaced: null }).fault).toBeNull();
  });

  it.each([
    '/etc/passwd',
    '..',
    'sets/../../x',
    'disks//a',
    'disks/a/.',
    'sets',
    'sets/',
    'lock',
    'trash/a',
    'sets/a\0',
    'sets/..',
  ])('names nothing outside sets and disks: %j', (path) => {
    expect(read({ items: [path] }).fault).toMatchObject({ code: 'corrupt', message: 'its items cannot be right' });
    expect(read({ replaced: { ...why.replaced, path } }).fault?.code).toBe('corrupt');
  });

  it.each([{ op: 'remove' }, { at: 'yesterday' }, { items: 'all' }, { replaced: { path: 'sets/a.json' } }])(
    'has the shape of one: %j',
    (change) => {
      expect(read(change).fault?.code).toBe('corrupt');
    },
  );
});

describe('names', () => {
  it('of entries are a moment, what was done, and four digits', () => {
    expect(['20260112T020000Z-merge-7f3a', '20260112T020000Z-sweep-0000'].every(isEntryName)).toBe(true);
    expect(['20260112T020000Z-other-7f3a', 'mine', '.tmp-x', '20260112T020000Z-merge-7f3a.old'].some(isEntryName)).toBe(
      false,
    );
  });

  it('of data files end with a count and what they hold; others are not ours to put away', () => {
    expect(['a.0.qcow2', '20260112T020000Z-7f3a.12.dig', 'cp-001.v2.3.qcow2'].every(isDataName)).toBe(true);
    expect(['notes.txt', 'a.qcow2', 'a.01.qcow2', '.hidden.0.dig', 'a.0.qcow2.bak'].some(isDataName)).toBe(false);
  });
});
