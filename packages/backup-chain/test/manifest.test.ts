import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manifestText, readManifest, seal } from '../src/manifest.ts';
import { heading } from '../src/publish.ts';

const repository = () =>
  seal({
    ...heading('Repository'),
    id: '4be1f6c2-6c0e-4d0e-9d54-0f6c3c9a7f11',
    createdAt: '2026-01-12T02:00:00Z',
    features: [] as string[],
  });
const good = manifestText(repository());
const faultOf = (text: string) => readManifest('Repository', text).fault?.code ?? null;

describe('manifests', () => {
  it('are keys in order, two blanks, one newline, and read back', () => {
    expect(good.split('\n').slice(0, 3)).toEqual([
      '{',
      '  "apiVersion": "platter.dev/v1",',
      '  "createdAt": "2026-01-12T02:00:00Z",',
    ]);
    expect(good.endsWith('}\n')).toBe(true);
    expect(readManifest('Repository', good)).toMatchObject({ fault: null, value: repository() });
  });

  it('keep keys that nobody knows yet', () => {
    const more = seal({ ...repository(), later: { z: 1, a: [2] } });
    expect(readManifest('Repository', manifestText(more)).value).toMatchObject({ later: { z: 1, a: [2] } });
  });

  it.each([
    ['a duplicate key', good.replace('{\n', '{\n  "id": "x",\n')],
    ['another order', JSON.stringify(repository(), null, 2)],
    ['other blanks', good.replaceAll('  ', ' ')],
    ['trailing garbage', `${good}x`],
    ['a huge number', good.replace('"features": []', '"features": [10000000000000000000000]')],
    ['no newline', good.trimEnd()],
    ['a list', '[]\n'],
    ['nothing', ''],
    ['a wrong self', good.replace(/"self": "../, '"self": "00')],
    ['a byte order mark', `\ufeff${good}`],
  ])('%s is corrupt', (_, text) => expect(faultOf(text)).toBe('corrupt'));

  it('a shape that cannot be is corrupt, also when it is sealed', () => {
    expect(faultOf(manifestText(seal({ ...repository(), id: 'me' })))).toBe('corrupt');
    expect(readManifest('BackupPoint', good).fault?.code).toBe('corrupt');
  });

  it('a newer format is not ours to judge', () => {
    expect(faultOf(manifestText(seal({ ...repository(), format: 'backup-chain/2' })))).toBe('unsupported');
    expect(faultOf(manifestText(seal({ ...repository(), format: 'other/2' })))).toBe('corrupt');
  });

  it('no random change of bytes is accepted', () =>
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(good);
        bytes[at] = (bytes[at] as number) ^ flip;
        return faultOf(bytes.toString('utf8')) !== null;
      }),
    ));
});
