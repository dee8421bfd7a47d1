import fc from 'fast-check';
import { compose, unpack } from '../src/clusters.ts';
import type { Layer } from '../src/open.ts';
import type { Cell, Plan } from './build.ts';

/** One cell of any kind; `kinds` leaves some out. */
export const anyCell = (kinds: readonly Cell['kind'][]): fc.Arbitrary<Cell> =>
  fc.record({ kind: fc.constantFrom(...kinds), byte: fc.integer({ min: 1, max: 250 }) });

const plain = ['absent', 'zero', 'data'] as const;

/** Images of every cluster size; large clusters get few cells. */
export const anyPlan: fc.Arbitrary<Plan> = fc
  .record({
    clusterBits: fc.constantFrom(
      9,
      9,
      9,
      10,
      10,
      11,
      11,
      12,
      12,
      12,
      13,
      13,
      14,
      14,
      14,
      15,
      15,
      16,
      16,
      16,
      17,
      18,
      19,
      20,
      21,
    ),
    version: fc.constantFrom(2 as const, 3 as const, 3 as const),
    wantsExtended: fc.boolean(),
    zstd: fc.boolean(),
    cut: fc.nat(),
    spare: fc.nat(),
  })
  .chain((shape) => {
    const extended = shape.version === 3 && shape.wantsExtended && shape.clusterBits >= 14;
    const zstd = shape.version === 3 && shape.zstd;
    const kinds = extended
      ? plain
      : shape.version === 2
        ? (['absent', 'data', 'compressed'] as const)
        : ([...plain, 'compressed'] as const);
    const unit = 2 ** shape.clusterBits / (extended ? 32 : 1);
    const maxLength = Math.max(1, Math.min(extended ? 70 : 150, Math.floor(2 ** 21 / unit)));
    return fc.array(anyCell(kinds), { minLength: 1, maxLength }).map((cells): Plan => {
      const whole = (cells.length + (shape.spare % 200)) * unit;
      const size = Math.min(whole, 2 ** 23) - 512 * (shape.cut % (unit / 512));
      return {
        clusterBits: shape.clusterBits,
        version: shape.version,
        extended,
        zstd,
        size: Math.max(512, size),
        cells,
      };
    });
  });

/** What a chain composes to, read span by span; also whether the spans are sorted and gapless. */
export async function readChain(layers: readonly Layer[], maxRun = 2 ** 21) {
  const size = layers.at(-1)?.header.size ?? 0;
  const content = new Uint8Array(size);
  let next = 0;
  let gapless = true;
  for await (const span of compose(layers, { at: 0, length: size }, maxRun)) {
    gapless &&= span.at === next && span.length > 0;
    next = span.at + span.length;
    const layer = layers[span.layer];
    if (layer === undefined || span.kind === 'absent' || span.kind === 'zero') continue;
    content.set((await bytesOf(layer, span)).subarray(0, span.cut ?? span.length), span.at);
  }
  return { content, gapless: gapless && next === size };
}

async function bytesOf(
  layer: Layer,
  span: { at: number; length: number; kind: string; host: number; hostLength: number },
) {
  if (span.kind === 'data') return layer.source.read(span.host, span.length);
  const cluster = new Uint8Array(2 ** layer.header.clusterBits);
  unpack(
    layer.header,
    await layer.source.read(span.host, Math.min(span.hostLength, layer.source.size - span.host)),
    cluster,
  );
  const from = span.at % cluster.length;
  return cluster.subarray(from, from + span.length);
}
