import { stateId } from '@platter/qcow2/digest';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentDigest, chunkDigests, clusterDigest, zeroDigest, zeroDigests } from '../src/digest.ts';

const content = (bytes: Uint8Array, size = bytes.length): string => {
  const digest = new ContentDigest(size);
  digest.add(0, Buffer.concat(chunkDigests(bytes)));
  return digest.hex();
};

describe('content digest, vectors of the spec', () => {
  it('a cluster of zeros', () => {
    expect(Buffer.from(zeroDigest).toString('hex')).toBe(
      'de2f256064a0af797747c2b97505dc0b9f3df0de4f489eac731c23ae9ca9cc31',
    );
    expect(content(new Uint8Array(65_536))).toBe('b1df58ec770b137ffd9f9f139cfca0293c19cc86d9ee6435206da2505c4c5cfe');
  });

  it('1 MiB of 0x11, and its state', () => {
    const found = content(new Uint8Array(2 ** 20).fill(0x11));
    expect(found).toBe('05c2f146f822865504d9f48bd8d620460f453c496e375aa04a901b8f4a84adb9');
    const uid = '00000000-0000-4000-8000-000000000001';
    expect(stateId(uid, found)).toBe('5f6308b82a60e91b621ae350c94b98e087c68ceaa5e799446fa936c00725a94c');
  });

  it('66,048 bytes of which one is set', () => {
    const bytes = new Uint8Array(66_048);
    bytes[65_536] = 0xff;
    expect(content(bytes)).toBe('60761f60661322f63100afb22dbb03362aed55634af0aebc10b7cb9f883af2a5');
  });

  it('is the same however the clusters are handed over', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 }), fc.nat(), (kinds, at) => {
        const list = kinds.map((kind) => (kind === 0 ? zeroDigest : clusterDigest(Uint8Array.of(kind))));
        const split = at % (list.length + 1);
        const [whole, parts] = [new ContentDigest(9), new ContentDigest(9)];
        whole.add(5, Buffer.concat(list));
        parts.add(5, Buffer.concat(list.slice(0, split)));
        parts.add(5 + split, Buffer.concat(list.slice(split)));
        return whole.hex() === parts.hex();
      }),
    ));

  it('clusters beyond 2^32 keep their number', () => {
    const [low, high] = [new ContentDigest(9), new ContentDigest(9)];
    low.add(5, clusterDigest(Uint8Array.of(1)));
    high.add(2 ** 32 + 5, clusterDigest(Uint8Array.of(1)));
    expect(low.hex()).not.toBe(high.hex());
    expect(zeroDigests(3)).toHaveLength(96);
  });
});
