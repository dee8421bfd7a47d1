import { basename } from 'node:path';
import { Invalid } from '@platter/units/invalid';
import { checkName } from '@platter/units/name';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkImageName,
  checkImageSize,
  creatingPath,
  fileRule,
  groupRule,
  imageName,
  imageOf,
  newPath,
  parseImageName,
  sidecarPath,
  vgRule,
} from '../src/names.ts';

const group = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?$/).filter((name) => !name.startsWith('sds-'));
const file = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?$/);

describe('the name of an image', () => {
  it('is read back as group and file, in both schemes', () => {
    fc.assert(
      fc.property(group, file, fc.constantFrom('VolumeGroup' as const, 'LVMVolumeGroup' as const), (g, f, scheme) => {
        expect(parseImageName(imageName(scheme, g, f))).toEqual({ scheme, group: g, file: f });
      }),
    );
  });

  it('is split at the last dot', () => {
    expect(parseImageName('sds-a.b.c.img')).toEqual({ scheme: 'LVMVolumeGroup', group: 'a.b', file: 'c' });
    expect(parseImageName('disk.img')).toBeNull();
  });

  it('leads to the sidecar and back', () => {
    expect(imageOf(sidecarPath('/p/g.d0.img'))).toBe('/p/g.d0.img');
    expect(imageOf(newPath(sidecarPath('/p/g.d0.img')))).toBeNull();
    expect(creatingPath('/p/g.d0.img')).toBe('/p/.g.d0.img.creating');
  });

  it('fits into a directory entry with all that is derived from it, or is refused', () => {
    const longest = 'g'.repeat(255 - '.'.length * 2 - 'd0.img.lvm-loop.json.new'.length);
    const image = checkImageName('VolumeGroup', longest, 'd0');
    expect(basename(newPath(sidecarPath(`/p/${image}`)))).toHaveLength(255);
    expect(() => checkImageName('VolumeGroup', `${longest}g`, 'd0')).toThrow(/together too long/);
  });
});

describe('names and sizes', () => {
  it.for([
    [groupRule, 'vm-scratch.1', true],
    [groupRule, 'Vm', false],
    [groupRule, '-vm', false],
    [groupRule, 'vm.', false],
    [fileRule, 'd0', true],
    [fileRule, 'd.0', false],
    [fileRule, 'd'.repeat(64), false],
    [vgRule, 'Vg_1+x.y-z', true],
    [vgRule, '.vg', false],
    [vgRule, 'v/g', false],
    [vgRule, 'v'.repeat(128), false],
  ] as const)('$0.what %s', ([rule, name, good]) => {
    const check = () => checkName(rule, name);
    if (good) expect(check()).toBe(name);
    else expect(check).toThrow(Invalid);
  });

  it.for([
    ['VolumeGroup', 64 * 2 ** 20, true],
    ['VolumeGroup', 63 * 2 ** 20, false],
    ['VolumeGroup', 64 * 2 ** 20 + 512, false],
    ['LVMVolumeGroup', 2 ** 30, true],
    ['LVMVolumeGroup', 2 ** 30 - 2 ** 20, false],
  ] as const)('%s of %d bytes', ([scheme, size, good]) => {
    const check = () => checkImageSize(scheme, size);
    if (good) expect(check()).toBe(size);
    else expect(check).toThrow(/multiple of 1 MiB, at least/);
  });
});
