import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { putU64, viewOf } from '../src/bits.ts';
import { census } from '../src/census.ts';
import { contentDigest, isZero, stateId } from '../src/digest.ts';
import { type Extent, extents } from '../src/extents.ts';
import { refcounts } from '../src/geometry.ts';
import { type Guest, guest } from '../src/guest.ts';
import { parseHeader } from '../src/header.ts';
import { openLayer } from '../src/open.ts';
import { bytesSource } from '../src/source.ts';
import { windows } from '../src/windows.ts';
import { build, contentOf, type Plan, unitOf } from './build.ts';
import { anyPlan } from './model.ts';

async function open(plan: Plan) {
  const source = bytesSource(build(plan).bytes);
  const header = await parseHeader(source);
  return { source, header, reader: guest(source, header, 'full') };
}

async function list<T>(of: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of of) items.push(item);
  return items;
}

const joins = (one: Extent, other: Extent): boolean =>
  one.kind === other.kind && one.kind !== 'compressed' && (one.kind !== 'data' || one.host + one.length === other.host);

/** A guest over plain bytes: what `disk-tools` has for a raw image. */
const plainGuest = (content: Uint8Array): Guest => ({
  size: content.length,
  read: (at, length) => bytesSource(content).read(at, length),
  async *extents() {
    yield { at: 0, length: content.length, kind: 'data', host: 0, hostLength: content.length };
  },
});

/** Images or chains per law; PLATTER_RUNS asks for more. */
const RUNS = Number(process.env.PLATTER_RUNS ?? 60);

/** A law takes a second of its own; on a busy machine it may take more. */
const LAW = { timeout: 60_000 };

describe('a model image', () => {
  it('has extents that are sorted, gapless, merged, and cover the size', LAW, async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        const { source, header } = await open(plan);
        const found = await list(extents(source, header));
        for (const [index, extent] of found.entries()) {
          const next = found[index + 1];
          expect(extent.at + extent.length).toBe(next?.at ?? plan.size);
          expect(next !== undefined && joins(extent, next)).toBe(false);
          expect(extent.length).toBeGreaterThan(0);
        }
        expect(found[0]?.at).toBe(0);
        const unit = unitOf(plan);
        for (const [index, cell] of plan.cells.entries()) {
          const at = index * unit;
          if (at < plan.size) expect(found.findLast((extent) => extent.at <= at)?.kind).toBe(cell.kind);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('reads as the model at any range', LAW, async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 6 }), async (plan, ranges) => {
        const { reader } = await open(plan);
        const content = contentOf(plan);
        for (const [from, count] of [[0, plan.size] as const, ...ranges]) {
          const at = from % plan.size;
          const length = Math.min(plan.size - at, count);
          expect(Buffer.compare(await reader.read(at, length), content.subarray(at, at + length))).toBe(0);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('has a census that sums to its size, without findings, and exact refcounts', LAW, async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        const { source, header } = await open(plan);
        const found = await census(source, header);
        expect(found.findings).toEqual([]);
        expect(found.dataBytes + found.zeroBytes + found.compressedBytes + found.absentBytes).toBe(plan.size);
        expect(await refcounts(await openLayer(source, 'full'))).toEqual({ leaks: 0, findings: [] });
      }),
      { numRuns: RUNS },
    );
  });

  it('has the digest of its content, whatever its allocation', LAW, async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, fc.nat(), async (plan, where) => {
        const { reader } = await open(plan);
        const content = contentOf(plan);
        expect(await contentDigest(reader)).toBe(await contentDigest(plainGuest(content)));
        const other = content.slice();
        other[where % content.length] = (other[where % content.length] as number) ^ 0x40;
        expect(await contentDigest(reader)).not.toBe(await contentDigest(plainGuest(other)));
      }),
      { numRuns: RUNS },
    );
  });
});

describe('guest', () => {
  const plan: Plan = { clusterBits: 12, size: 2 ** 16, cells: [{ kind: 'data', byte: 1 }] };

  it('rejects a range beyond the size', async () => {
    const { reader } = await open(plan);
    await expect(reader.read(2 ** 16 - 1, 2)).rejects.toMatchObject({ name: 'ShortRead' });
    await expect(reader.read(-1, 1)).rejects.toMatchObject({ name: 'ShortRead' });
  });

  it('refuses what the policy refuses', async () => {
    const bytes = build(plan).bytes;
    viewOf(bytes).setUint32(60, 1);
    const source = bytesSource(bytes);
    const header = await parseHeader(source);
    expect(() => guest(source, header, 'convert')).toThrow('Q11');
    expect((await guest(source, header, 'attach').read(0, 1))[0]).toBe(1);
  });

  it('gives the extents of a range only', async () => {
    const { reader } = await open(plan);
    expect(await list(reader.extents({ at: 4000, length: 200 }))).toMatchObject([
      { at: 4000, length: 96, kind: 'data' },
      { at: 4096, length: 104, kind: 'absent' },
    ]);
  });

  it('keeps host offsets exact beyond 2^32', async () => {
    const built = build(plan);
    const far = 2 ** 40 + 3 * 4096;
    putU64(viewOf(built.bytes), built.entryAt(0), far);
    const memory = bytesSource(built.bytes);
    const source = {
      size: 2 ** 41,
      read: (at: number, length: number) =>
        at < built.bytes.length
          ? memory.read(at, length)
          : Promise.resolve(new Uint8Array(length).fill(at === far ? 0x5a : 0)),
    };
    const header = await parseHeader(source);
    expect(await list(extents(source, header, { at: 0, length: 4096 }))).toMatchObject([{ kind: 'data', host: far }]);
    expect(await guest(source, header, 'full').read(0, 1)).toEqual(new Uint8Array([0x5a]));
  });
});

describe('windows', () => {
  it('come one L2 table at a time, in guest order', async () => {
    const cells = Array.from({ length: 200 }, () => ({ kind: 'data' as const, byte: 1 }));
    const { source, header } = await open({ clusterBits: 9, size: 400 * 512, cells });
    const seen: number[] = [];
    for await (const window of windows(source, header)) seen.push(window.at, window.units);
    expect(seen).toEqual([0, 64, 32768, 64, 65536, 64, 98304, 64]);
  });
});

describe('content digest', () => {
  const at = (size: number, byte: number): Uint8Array => {
    const bytes = new Uint8Array(size);
    bytes[byte] = 0xff;
    return bytes;
  };

  it.each([
    ['zeroes', new Uint8Array(65536), 'b1df58ec770b137ffd9f9f139cfca0293c19cc86d9ee6435206da2505c4c5cfe'],
    ['0x11', new Uint8Array(2 ** 20).fill(0x11), '05c2f146f822865504d9f48bd8d620460f453c496e375aa04a901b8f4a84adb9'],
    ['a short tail', at(66048, 65536), '60761f60661322f63100afb22dbb03362aed55634af0aebc10b7cb9f883af2a5'],
  ])('of %s', async (_, content, digest) => {
    expect(await contentDigest(plainGuest(content))).toBe(digest);
  });

  it('gives the state of a disk', () => {
    const content = '05c2f146f822865504d9f48bd8d620460f453c496e375aa04a901b8f4a84adb9';
    const state = '5f6308b82a60e91b621ae350c94b98e087c68ceaa5e799446fa936c00725a94c';
    expect(stateId('00000000-0000-4000-8000-000000000001', content)).toBe(state);
  });

  it('finds the only byte that is not zero, at any alignment', () => {
    const bytes = new Uint8Array(64);
    for (let start = 0; start < 8; start++) {
      for (let end = start; end < 32; end++) {
        expect(isZero(bytes.subarray(start, end))).toBe(true);
        for (let where = start; where < end; where++) {
          bytes[where] = 1;
          expect(isZero(bytes.subarray(start, end))).toBe(false);
          bytes[where] = 0;
        }
      }
    }
  });
});
