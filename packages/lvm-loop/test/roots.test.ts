import { scripted } from '@platter/host/scripted';
import { Invalid } from '@platter/units/invalid';
import { describe, expect, it } from 'vitest';
import { sameFilesystem } from '../src/filesystem.ts';
import { placeOf, rootsOf } from '../src/roots.ts';

const host = scripted({
  'realpath /root': '/root',
  'realpath /root/a': '/root/a',
  'realpath /root-evil': '/root-evil',
  'realpath /root/out': '/elsewhere',
  'realpath /link': '/root',
  'realpath /link/a': '/root/a',
  'realpath /root/new': null,
  'realpath /root/new/deep': null,
  'realpath /root/1': null,
  'realpath /root/1/2': null,
  'realpath /root/1/2/3': null,
  'realpath /root/1/2/3/4': null,
  'realpath /gone': null,
  'realpath /': '/',
  'realpath /var/lib/platter/lvm-loop': null,
  'realpath /opt/deckhouse/sds/file-devices': '/opt/deckhouse/sds/file-devices',
});

describe('the directory of an image', () => {
  it.for([
    ['/root', '/root', true],
    ['/root/a', '/root/a', true],
    ['/link/a', '/root/a', true],
    ['/root/new/deep', '/root/new/deep', false],
    ['/root/1/2/3', '/root/1/2/3', false],
  ] as const)('%s', async ([said, path, there]) => {
    expect(await placeOf(host, ['/root'], said)).toEqual({ path, root: '/root', there });
  });

  it.for(['/root/../etc', 'root', '/root//a', '/root/', '/root-evil', '/root/out', '/root/1/2/3/4', '/gone'])(
    '%s is refused',
    async (said) => {
      await expect(placeOf(host, ['/root'], said)).rejects.toThrow(Invalid);
    },
  );
});

describe('roots', () => {
  it('are those of the flags, else of the environment, else the known ones that are there', async () => {
    expect(await rootsOf(host, { said: ['/link', '/root'], env: '/root-evil' })).toEqual(['/root']);
    expect(await rootsOf(host, { said: [], env: '/root:/root-evil' })).toEqual(['/root', '/root-evil']);
    expect(await rootsOf(host, { said: [], env: undefined })).toEqual(['/opt/deckhouse/sds/file-devices']);
  });

  it('must be there when they are named', async () => {
    await expect(rootsOf(host, { said: ['/root', '/gone'], env: undefined })).rejects.toMatchObject({
      kind: 'refused',
      message: 'the directory /gone is not there',
    });
  });
});

describe('a filesystem', () => {
  const of = (fsUuid: string | null, fsid: string | null = null, bootId: string | null = null) => ({
    fsUuid,
    fsid,
    bootId,
  });
  it.for([
    [of('a'), of('a'), true],
    [of('a'), of('b'), false],
    [of('a', '1'), of(null, '1'), true],
    [of('a', '1'), of('a', '2'), false],
    [of('a'), of(null, '1'), false],
    [of(null), of(null), false],
    [of(null, null, 'boot'), of(null, null, 'boot'), true],
  ] as const)('%j and %j are the same: %j', ([a, b, same]) => {
    expect(sameFilesystem(a, b)).toBe(same);
  });
});
