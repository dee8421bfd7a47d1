import { describe, expect, it } from 'vitest';
import { bytesSource, ShortRead, slice } from '../src/source.ts';

const source = bytesSource(new Uint8Array([0, 1, 2, 3, 4, 5]));

describe('sources', () => {
  it('give exactly the bytes asked for', async () => {
    expect([...(await source.read(2, 3))]).toEqual([2, 3, 4]);
    expect((await source.read(6, 0)).length).toBe(0);
  });

  it.each([
    [5, 2],
    [-1, 1],
    [7, 0],
    [Number.NaN, 1],
    [0, Number.NaN],
  ])('reject %d+%d', async (at, length) => {
    await expect(source.read(at, length)).rejects.toThrow(ShortRead);
  });

  it('a slice never leaves its range', async () => {
    const part = slice(source, 2, 3);
    expect(part.size).toBe(3);
    expect([...(await part.read(1, 2))]).toEqual([3, 4]);
    await expect(part.read(1, 3)).rejects.toThrow(ShortRead);
    await expect(part.read(-1, 1)).rejects.toThrow(ShortRead);
    await expect(slice(source, 4, 9).read(0, 9)).rejects.toThrow(ShortRead);
  });
});
