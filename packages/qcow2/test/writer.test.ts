import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compose } from '../src/clusters.ts';
import { canonical } from '../src/geometry.ts';
import { parseHeader } from '../src/header.ts';
import { judge } from '../src/judge.ts';
import { openLayer } from '../src/open.ts';
import { bytesSource } from '../src/source.ts';
import { type Block, Writer } from '../src/writer.ts';

type Type = 'full' | 'incremental';
interface Call {
  gap: number;
  kind: 'place' | 'zero';
  count: number;
}
interface Plan {
  type: Type;
  virtualSize: number;
  calls: readonly Call[];
}

const CLUSTER = 65536;
const anyPlan: fc.Arbitrary<Plan> = fc.record({
  type: fc.constantFrom<Type>('full', 'incremental'),
  virtualSize: fc.constantFrom(512, CLUSTER, 2 ** 20, 2 ** 30 - 512, 2 ** 30 + 512, 2 ** 40),
  calls: fc.array(
    fc.record({
      gap: fc.oneof(fc.nat(3), fc.nat(9000)),
      kind: fc.constantFrom<Call['kind']>('place', 'zero'),
      count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 9000 })),
    }),
    { maxLength: 12 },
  ),
});

/** Runs the calls that fit; gives the blocks as they came, and what each cluster should be. */
function write({ type, virtualSize, calls }: Plan) {
  const writer = new Writer({ virtualSize, type });
  const blocks: Block[] = [];
  const expected = new Map<number, 'data' | 'zero'>();
  let next = 0;
  for (const { gap, kind, count } of calls) {
    const first = next + gap;
    const clusters = kind === 'zero' ? count : Math.min(count, 3);
    if ((first + clusters) * CLUSTER > virtualSize) continue;
    for (let index = first; index < first + clusters; index++) {
      if (kind === 'place')
        blocks.push({ at: writer.place(index), bytes: new Uint8Array(CLUSTER).fill(index % 255 || 1) });
      if (kind === 'place' || type === 'incremental') expected.set(index, kind === 'place' ? 'data' : 'zero');
    }
    if (kind === 'zero') writer.zero(first, clusters);
    next = first + clusters;
    blocks.push(...writer.ready());
  }
  return { blocks: [...blocks, ...writer.finish()], expected };
}

function assemble(blocks: readonly Block[]): Uint8Array {
  const bytes = new Uint8Array(Math.max(...blocks.map(({ at, bytes: block }) => at + block.length)));
  for (const { at, bytes: block } of blocks) bytes.set(block, at);
  return bytes;
}

/** A law takes a second of its own; on a busy machine it may take more. */
const LAW = { timeout: 60_000 };

describe('Writer', () => {
  it('writes canonical files that say what was told', LAW, async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        const { blocks, expected } = write(plan);
        const bytes = assemble(blocks);
        expect(bytes.length % CLUSTER).toBe(0);
        expect(blocks.reduce((sum, block) => sum + block.bytes.length, 0)).toBe(bytes.length);
        const layer = await openLayer(bytesSource(bytes), plan.type === 'full' ? 'full' : 'increment');
        if (plan.virtualSize % CLUSTER === 0) expect(await canonical(layer)).toEqual([]);
        const found = new Map<number, string>();
        for await (const span of compose([layer], { at: 0, length: plan.virtualSize }, CLUSTER)) {
          if (span.kind === 'absent') continue;
          const stop = Math.ceil((span.at + span.length) / CLUSTER);
          for (let cluster = span.at / CLUSTER; cluster < stop; cluster++) {
            found.set(cluster, span.kind);
            if (span.kind === 'data') expect(bytes[span.host]).toBe(cluster % 255 || 1);
          }
        }
        expect(found).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('is deterministic', () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        expect(Buffer.compare(assemble(write(plan).blocks), assemble(write(plan).blocks))).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  it('writes the header last: without it there is no image', async () => {
    const { blocks } = write({ type: 'full', virtualSize: 2 ** 20, calls: [{ gap: 0, kind: 'place', count: 1 }] });
    expect(blocks.at(-1)?.at).toBe(0);
    const source = bytesSource(assemble(blocks.slice(0, -1)));
    await expect(parseHeader(source)).rejects.toThrow('not a qcow2 image');
    const whole = await parseHeader(bytesSource(assemble(blocks)));
    expect(judge(whole, 'increment')).toEqual([]);
    expect(whole).toMatchObject({ version: 3, headerLength: 112, extensions: [], l1: { at: CLUSTER, entries: 1 } });
  });

  it('lays data, then its table, then the counts', () => {
    const writer = new Writer({ virtualSize: 2 ** 30, type: 'incremental' });
    expect([writer.place(0), writer.place(9), writer.ready()]).toEqual([2 * CLUSTER, 3 * CLUSTER, []]);
    expect(writer.place(8192)).toBe(5 * CLUSTER);
    expect(writer.ready().map(({ at }) => at)).toEqual([4 * CLUSTER]);
    expect([...writer.finish()].map(({ at }) => at / CLUSTER)).toEqual([6, 1, 7, 8, 0]);
  });

  it('refuses clusters out of order or beyond the size', () => {
    const writer = new Writer({ virtualSize: 2 ** 20, type: 'full' });
    writer.zero(2, 3);
    for (const cluster of [4, 0, -1, 16, 5.5, Number.NaN]) expect(() => writer.place(cluster)).toThrow(RangeError);
    expect(() => writer.zero(15, 2)).toThrow(RangeError);
    expect(() => writer.zero(6, 0)).toThrow(RangeError);
    expect(writer.place(5)).toBe(2 * CLUSTER);
    for (const _ of writer.finish());
    expect(() => writer.place(6)).toThrow(RangeError);
  });

  it.each([0, -512, 513, Number.NaN, 2 ** 51 + 2 ** 30])('refuses a virtual size of %d', (virtualSize) => {
    expect(() => new Writer({ virtualSize, type: 'full' })).toThrow(RangeError);
  });
});
