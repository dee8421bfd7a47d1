import { compose } from './clusters.ts';
import type { Header } from './header.ts';
import { type Layer, layerOf } from './open.ts';
import type { Kind } from './runs.ts';
import type { ByteSource } from './source.ts';

/** A run of guest bytes of one kind, and where its bytes lie in the file (`host` and `hostLength` 0: nowhere). */
export interface Extent {
  at: number;
  length: number;
  kind: Kind;
  host: number;
  hostLength: number;
}

/** A part of the guest, in bytes. */
export interface Range {
  at: number;
  length: number;
}

/** The extents of a layer: sorted, gapless, merged, covering `range` as far as the guest reaches. Rejects `Refused`. */
export async function* layerExtents(layer: Layer, range?: Range): AsyncGenerator<Extent> {
  const whole = { at: 0, length: layer.header.size };
  for await (const span of compose([layer], range ?? whole, Number.POSITIVE_INFINITY)) {
    const { at, length, kind, host, hostLength } = span;
    yield { at, length, kind, host, hostLength };
  }
}

/** The same of an image whose header is not corrupt; a backing file is not looked at: its clusters are absent. */
export async function* extents(source: ByteSource, header: Header, range?: Range): AsyncGenerator<Extent> {
  yield* layerExtents(await layerOf(source, header), range);
}
