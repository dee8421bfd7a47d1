import { Invalid } from '@platter/units/invalid';
import { parseSize, TiB } from '@platter/units/size';
import { describe, expect, it } from 'vitest';
import { neededSpace, newDisk, parseUuid, type Wish } from '../src/wish.ts';

const wish = (more: Partial<Wish> = {}): Wish => ({
  size: undefined,
  label: 'platter-data',
  fs: undefined,
  layout: undefined,
  format: undefined,
  uuid: undefined,
  mode: 0o600,
  ...more,
});

describe('a new disk', () => {
  it('has the defaults for what was not said', () => {
    expect(newDisk(wish())).toMatchObject({ size: 10 * 2 ** 30, fs: 'ext4', layout: 'whole', format: 'qcow2' });
  });

  it.each([
    ['ext4', '64M', true],
    ['ext4', '63M', false],
    ['xfs', '300M', true],
    ['xfs', '299M', false],
    ['ext4', '8T', true],
    ['ext4', String(8 * TiB + 2 ** 20), false],
    ['ext4', String(2 ** 30 + 1), false],
    ['ext4', '1048576K', true],
  ] as const)('%s of %s: %s', (fs, text, fine) => {
    const make = () => newDisk(wish({ fs, size: parseSize(text) }));
    if (fine) expect(make().size).toBe(parseSize(text));
    else expect(make).toThrow(Invalid);
  });

  it.each([
    ['ext4', 'a'.repeat(16), true],
    ['ext4', 'a'.repeat(17), false],
    ['xfs', 'a'.repeat(12), true],
    ['xfs', 'a'.repeat(13), false],
    ['ext4', 'platter-data', true],
    ['xfs', 'platter-data', true],
    ['ext4', 'a b', false],
    ['ext4', 'a\n', false],
    ['ext4', '', false],
    ['ext4', 'ü', false],
  ] as const)('label on %s: %j is %s', (fs, label, fine) => {
    const make = () => newDisk(wish({ fs, label, size: 2 ** 30 }));
    if (fine) expect(make().label).toBe(label);
    else expect(make).toThrow(Invalid);
  });

  it('has an MBR only around ext4 and below 2 TiB', () => {
    expect(() => newDisk(wish({ layout: 'mbr', fs: 'xfs' }))).toThrow('holds ext4 only');
    expect(() => newDisk(wish({ layout: 'mbr', size: 2 * TiB }))).toThrow('below 2 TiB');
    expect(newDisk(wish({ layout: 'mbr', size: 2 * TiB - 2 ** 20 })).layout).toBe('mbr');
  });

  it('needs space for scratch and result', () => {
    expect(neededSpace({ size: 8192 * 2 ** 20, fs: 'ext4' })).toBe(66 * 2 ** 20);
    expect(neededSpace({ size: 8192 * 2 ** 20, fs: 'xfs' })).toBe((66 + 128) * 2 ** 20);
  });

  it('has a UUID in the usual form', () => {
    expect(parseUuid('7C1E40D2-5f0e-4c4e-9d5e-1f7b5a3c9a11')).toBe('7c1e40d2-5f0e-4c4e-9d5e-1f7b5a3c9a11');
    for (const wrong of ['', 'x', '7c1e40d25f0e4c4e9d5e1f7b5a3c9a11', '7c1e40d2-5f0e-4c4e-9d5e-1f7b5a3c9a1'])
      expect(() => parseUuid(wrong)).toThrow(Invalid);
  });
});
