import { constants, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import { type Chain, chainOf, isBlank } from './chain.ts';
import { Refused } from './finding.ts';
import { frameLength } from './frame.ts';
import type { Header } from './header.ts';
import type { Layer } from './open.ts';
import { type Canvas, newCanvas, paint, putBack } from './paint.ts';
import { Joiner, runsOf, type Span } from './runs.ts';
import { shapeOf } from './shape.ts';
import { readStretch } from './stretch.ts';
import type { Table } from './table.ts';

/** Units that one L2 table describes: the length that `tableAt` needs. */
export function unitsPerTable(header: Header): number {
  const { reach, unit } = shapeOf(header);
  return reach / unit;
}

/**
 * Decodes the L2 table of L1 entry `index`, one element per cluster or subcluster; false: there is none.
 * Entries beyond the virtual size are decoded like all others. Rejects `Refused` on a broken entry (G1 to G4, G7).
 */
export async function tableAt(layer: Layer, index: number, into: Table): Promise<boolean> {
  const { clusterSize, entrySize } = shapeOf(layer.header);
  return readStretch(layer, { index, first: 0, entries: clusterSize / entrySize }, into);
}

const blank = (at: number, end: number): Span => ({
  at,
  length: end - at,
  kind: 'absent',
  layer: -1,
  host: 0,
  hostLength: 0,
  cut: null,
});

/** The spans of each window of the range, not yet joined. */
async function* windowSpans(chain: Chain, range: { at: number; end: number }): AsyncGenerator<Iterable<Span>> {
  let canvas: Canvas | undefined;
  try {
    for (let at = range.at; at < range.end; ) {
      const end = Math.min(range.end, (Math.floor(at / chain.window) + 1) * chain.window);
      if (isBlank(chain, at, end)) yield [blank(at, end)];
      else {
        canvas ??= newCanvas(chain, range.end - range.at);
        await paint(chain, canvas, { at, end });
        yield runsOf(chain, canvas, at);
      }
      at = end;
    }
  } finally {
    if (canvas) putBack(canvas);
  }
}

/**
 * What a guest sees of a chain, `layers` oldest first, as QEMU composes it: sorted, gapless, joined spans that cover
 * `range` as far as the leaf reaches. Data spans have at most `maxRun` bytes. Memory: one window of 8192 units.
 * Rejects `Refused` on a broken entry that it had to look at.
 */
export async function* compose(
  layers: readonly Layer[],
  range: { at: number; length: number },
  maxRun: number,
): AsyncGenerator<Span> {
  const chain = chainOf(layers);
  const joiner = new Joiner(maxRun);
  const end = Math.min(chain.size, range.at + range.length);
  for await (const spans of windowSpans(chain, { at: range.at, end })) {
    for (const span of spans) yield* joiner.take(span);
  }
  yield* joiner.rest();
}

const WINDOW_LOG_MAX = 23;

function inflate(packed: Uint8Array, length: number): Uint8Array {
  const options = { windowBits: 12, chunkSize: Math.max(length, 4096), maxOutputLength: length };
  return inflateRawSync(packed, { ...options, finishFlush: constants.Z_SYNC_FLUSH });
}

function unzstd(packed: Uint8Array, length: number): Uint8Array {
  const frame = frameLength(packed);
  if (frame === null) throw new Error('no whole zstd frame');
  const params = { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX };
  return zstdDecompressSync(packed.subarray(0, frame), { params, maxOutputLength: length });
}

function spoiled(message: string): Refused {
  return new Refused([{ rule: 'G6', verdict: 'corrupt', field: 'compressed cluster', value: '', message }]);
}

/**
 * Decompresses one cluster into `into`, which has the size of a cluster; what follows the stream in `packed` is
 * padding. Raw deflate with a 4 KiB window, or one zstd frame (qcow2 spec, Compressed Clusters). Throws `Refused` (G6).
 */
export function unpack(header: Header, packed: Uint8Array, into: Uint8Array): void {
  let cluster: Uint8Array;
  try {
    cluster = header.compression === 'zstd' ? unzstd(packed, into.length) : inflate(packed, into.length);
  } catch (error) {
    throw spoiled(`a compressed cluster cannot be decompressed: ${(error as Error).message}`);
  }
  if (cluster.length !== into.length) throw spoiled(`a compressed cluster holds ${cluster.length} bytes`);
  into.set(cluster);
}
