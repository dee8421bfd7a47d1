import { describe, expect, it } from 'vitest';
import { readExport, readPoolFile, readSession, readSet, readVolumeFile } from '../src/sidecar.ts';

const volume = {
  kind: 'VolumeFile',
  format: 1,
  uuid: 'u',
  name: 'v',
  ...{
    volumeKind: 'saved',
    rw: true,
    source: null,
    size: null,
    policy: null,
    counter: 0,
    import: null,
    removing: false,
  },
  revisions: { 1: { size: 512, mtimeNs: '5', side: false, label: null, pins: ['x'], expiresAt: null, set: null } },
  images: [{ ino: '7', size: 512, mtimeNs: '5', sha256: null, consistency: 'unclean' }],
};
const without = (key: string) => Object.fromEntries(Object.entries(volume).filter(([name]) => name !== key));

describe('a sidecar', () => {
  it('is read as it was written, with fields of later versions', () => {
    const later = { ...volume, colour: 'blue' };
    expect(readVolumeFile(JSON.stringify(later))).toEqual(later);
  });

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ...Object.keys(volume).map((key) => [`no ${key}`, JSON.stringify(without(key))]),
    ['an unknown kind', JSON.stringify({ ...volume, volumeKind: 'other' })],
    ['an inode that is no number', JSON.stringify({ ...volume, images: [{ ...volume.images[0], ino: '0x7' }] })],
    ['a pin that is no text', JSON.stringify({ ...volume, revisions: { 1: { ...volume.revisions[1], pins: [1] } } })],
    ['a newer format', JSON.stringify({ ...volume, format: 2 })],
  ])('with %s is none', (_, content) => expect(readVolumeFile(content)).toBeNull());
});

describe('other files', () => {
  it('are read, or are nothing', () => {
    const session = { ino: '7', bootId: 'b', startedAt: '', unclean: false };
    expect(readSession(JSON.stringify(session))).toEqual(session);
    expect(readSession('{"ino":7}')).toBeNull();
    expect(readExport('{"volume":"v","number":null}')).toMatchObject({ volume: 'v' });
    expect(readSet('{"members":[{"volume":"v"}]}')).toBeNull();
  });

  it('a pool file of another format is told from one that is broken', () => {
    expect(() => readPoolFile('/p', '{"format":2}')).toThrow('this version reads format 1');
    expect(() => readPoolFile('/p', '{"format":1}')).toThrow('is not a pool file');
  });
});
