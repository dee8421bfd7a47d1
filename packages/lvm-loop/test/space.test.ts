import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extentsOf } from '../src/extents.ts';
import { chunks, reserved, shortage } from '../src/space.ts';

const GiB = 2n ** 30n;
const bytes = fc.bigInt({ min: 0n, max: 2n ** 63n });

describe('the space rule', () => {
  it('never leaves less than the reserve, up to 8 EiB', () => {
    const percent = fc.integer({ min: 0, max: 90 });
    fc.assert(
      fc.property(bytes, bytes, bytes, percent, (total, free, need, share) => {
        const [room, reserve] = [
          { total, free },
          { percent: share, floor: 2 ** 30 },
        ];
        const short = shortage(room, reserve, need);
        if (need > 0n && short <= 0n) expect(free - need >= reserved(room, reserve)).toBe(true);
        if (short > 0n) expect(free - (need - short)).toBe(reserved(room, reserve));
      }),
    );
  });

  it('lets what needs nothing pass, however full it is', () => {
    expect(shortage({ free: 0n, total: GiB }, { percent: 15, floor: 0 }, 0n)).toBe(0n);
  });

  it('takes the larger of share and floor', () => {
    expect(reserved({ free: 0n, total: 100n * GiB }, { percent: 15, floor: 2 ** 30 })).toBe(15n * GiB);
    expect(reserved({ free: 0n, total: GiB }, { percent: 15, floor: 2 ** 30 })).toBe(GiB);
  });

  it('allocates in pieces that cover the range without a gap', () => {
    const size = fc.integer({ min: 0, max: 2 ** 46 });
    fc.assert(
      fc.property(size, size, (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        let at = from;
        for (const { offset, length } of chunks(from, to)) {
          expect(offset).toBe(at);
          expect(length).toBeLessThanOrEqual(64 * 2 ** 30);
          at += length;
        }
        expect(at).toBe(to);
      }),
    );
  });
});

describe('the extents of a PV', () => {
  it('grow with its size and never pass it', () => {
    const grid = fc.record({
      peStart: fc.constant(2 ** 20),
      extentSize: fc.integer({ min: 20, max: 30 }).map((n) => 2 ** n),
    });
    const size = fc.integer({ min: 0, max: 2 ** 50 });
    fc.assert(
      fc.property(grid, size, size, (at, a, b) => {
        expect(extentsOf(Math.max(a, b), at)).toBeGreaterThanOrEqual(extentsOf(Math.min(a, b), at));
        const count = extentsOf(a, at);
        if (count > 0) expect(at.peStart + count * at.extentSize).toBeLessThanOrEqual(a);
        expect(at.peStart + (count + 1) * at.extentSize).toBeGreaterThan(a);
      }),
    );
  });
});
