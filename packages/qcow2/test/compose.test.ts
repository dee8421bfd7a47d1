import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compose, tableAt, unitsPerTable } from '../src/clusters.ts';
import { type Layer, openLayer } from '../src/open.ts';
import type { Span } from '../src/runs.ts';
import { type ByteSource, bytesSource } from '../src/source.ts';
import { newTable } from '../src/table.ts';
import { build, type Cell, cellBytes, type Plan, unitOf } from './build.ts';
import { anyPlan, readChain } from './model.ts';

const open = (plan: Plan): Promise<Layer> => openLayer(bytesSource(build(plan).bytes), 'full');

/** What a chain of plans reads as, oldest first: bytes of a layer show where nothing newer covers or hides them. */
function modelOf(plans: readonly Plan[]): Uint8Array {
  let below = new Uint8Array(0);
  for (const plan of plans) {
    const content = new Uint8Array(plan.size);
    content.set(below.subarray(0, plan.size));
    const unit = unitOf(plan);
    for (const [index, cell] of plan.cells.entries()) {
      const at = index * unit;
      if (cell.kind === 'absent' || at >= plan.size) continue;
      content.set(cellBytes(cell, unit).subarray(0, plan.size - at), at);
    }
    below = content;
  }
  return below;
}

async function spansOf(plans: readonly Plan[], maxRun = 2 ** 30): Promise<Partial<Span>[]> {
  const layers = await Promise.all(plans.map(open));
  const size = plans.at(-1)?.size ?? 0;
  const spans: Partial<Span>[] = [];
  for await (const { at, length, kind, layer, cut } of compose(layers, { at: 0, length: size }, maxRun)) {
    spans.push({ at, length, kind, layer, ...(cut !== null && { cut }) });
  }
  return spans;
}

const cell = (kind: Cell['kind'], byte = 1): Cell => ({ kind, byte });
const plan = (size: number, cells: Cell[], clusterBits = 12): Plan => ({ clusterBits, size, cells });
const K4 = 4096;

/** Images or chains per law; PLATTER_RUNS asks for more. */
const RUNS = Number(process.env.PLATTER_RUNS ?? 60);

/** A law takes a second of its own; on a busy machine it may take more. */
const LAW = { timeout: 60_000 };

describe('compose', () => {
  it('equals the model for chains of any sizes and cluster sizes', LAW, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPlan, { minLength: 1, maxLength: 5 }), async (plans) => {
        const { content, gapless } = await readChain(await Promise.all(plans.map(open)));
        expect(gapless).toBe(true);
        expect(Buffer.compare(content, modelOf(plans))).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });

  it('gives a part of what it gives for the whole', LAW, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyPlan, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.nat(),
        async (plans, from, count) => {
          const layers = await Promise.all(plans.map(open));
          const content = modelOf(plans);
          const at = from % content.length;
          const end = Math.min(content.length, at + 1 + (count % 300_000));
          let next = at;
          for await (const span of compose(layers, { at, length: end - at }, 2 ** 16)) {
            expect(span.at).toBe(next);
            next += span.length;
            const empty = span.kind === 'absent' || span.kind === 'zero';
            if (empty) expect(content.subarray(span.at, next).every((byte) => byte === 0)).toBe(true);
            if (span.kind !== 'data') continue;
            expect(span.length).toBeLessThanOrEqual(2 ** 16);
            const bytes = await (layers[span.layer] as Layer).source.read(span.host, span.cut ?? span.length);
            expect(Buffer.compare(bytes, content.subarray(span.at, span.at + bytes.length))).toBe(0);
          }
          expect(next).toBe(end);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('the newest entry wins, and zero is an entry', async () => {
    const full = plan(4 * K4, [cell('data'), cell('data'), cell('data'), cell('absent')]);
    const increment = plan(4 * K4, [cell('absent'), cell('zero'), cell('data', 9)]);
    expect(await spansOf([full, increment])).toEqual([
      { at: 0, length: K4, kind: 'data', layer: 0 },
      { at: K4, length: K4, kind: 'zero', layer: 1 },
      { at: 2 * K4, length: K4, kind: 'data', layer: 1 },
      { at: 3 * K4, length: K4, kind: 'absent', layer: -1 },
    ]);
  });

  it('a shrunk layer hides what is older, also after growing again', async () => {
    const full = plan(4 * K4, [cell('data'), cell('data'), cell('data'), cell('data')]);
    expect(await spansOf([full, plan(K4 + 512, []), plan(4 * K4, [])])).toEqual([
      { at: 0, length: K4, kind: 'data', layer: 0 },
      { at: K4, length: K4, kind: 'data', layer: 0, cut: 512 },
      { at: 2 * K4, length: 2 * K4, kind: 'zero', layer: 1 },
    ]);
  });

  it('counts a cut from where the span begins', async () => {
    const layers = await Promise.all(
      [plan(4 * K4, [cell('data'), cell('data')]), plan(K4 + 512, []), plan(2 * K4, [])].map(open),
    );
    const spans: Span[] = [];
    for await (const span of compose(layers, { at: K4 + 100, length: 1000 }, K4)) spans.push(span);
    expect(spans).toMatchObject([{ at: K4 + 100, length: 1000, kind: 'data', cut: 412 }]);
  });

  it('cuts data into runs', async () => {
    const full = plan(
      8 * K4,
      Array.from({ length: 8 }, () => cell('data')),
    );
    expect((await spansOf([full], 3 * K4)).map(({ length }) => length)).toEqual([3 * K4, 3 * K4, 2 * K4]);
  });

  it('reads no table of a layer that is covered, and none where an L1 entry is empty', async () => {
    const cells = Array.from({ length: 512 }, () => cell('data'));
    const reads: number[] = [];
    const spied = async (of: Plan, id: number): Promise<Layer> => {
      const layer = await open(of);
      const { source } = layer;
      const read: ByteSource['read'] = (at, length) => {
        reads.push(id);
        return source.read(at, length);
      };
      return { ...layer, source: { size: source.size, read } };
    };
    const size = 512 * K4;
    const layers = [
      await spied(plan(size, cells), 0),
      await spied(plan(size, []), 1),
      await spied(plan(size, cells), 2),
    ];
    for await (const _ of compose(layers, { at: 0, length: size }, size));
    expect(reads).toEqual([2]);
  });

  it('ends no range beyond the leaf, and gives nothing for an empty one', async () => {
    const layer = await open(plan(K4, [cell('data')]));
    const spans: Span[] = [];
    for await (const span of compose([layer], { at: 512, length: 2 ** 40 }, K4)) spans.push(span);
    for await (const span of compose([layer], { at: 512, length: 0 }, K4)) spans.push(span);
    expect(spans.map(({ at, length }) => [at, length])).toEqual([[512, K4 - 512]]);
  });

  it('walks the emptiness of an 8 TiB disk at once', async () => {
    const size = 2 ** 43;
    const layer: Layer = { ...(await open(plan(2 ** 20, [], 16))), l1: new Float64Array(2 ** 14) };
    layer.header.size = size;
    const spans: Span[] = [];
    for await (const span of compose([layer, layer], { at: 0, length: size }, 2 ** 21)) spans.push(span);
    expect(spans).toMatchObject([{ at: 0, length: size, kind: 'absent' }]);
  });
});

describe('tableAt', () => {
  it('decodes a table into units and says where none is', async () => {
    const layer = await open(plan(600 * K4, [cell('zero'), cell('data'), cell('absent'), cell('compressed')]));
    const table = newTable(unitsPerTable(layer.header));
    expect(await tableAt(layer, 0, table)).toBe(true);
    expect([...table.kind.subarray(0, 5)]).toEqual([1, 2, 0, 3, 0]);
    expect(table.host[1]).toBe(4 * K4);
    expect(await tableAt(layer, 1, table)).toBe(false);
  });
});
