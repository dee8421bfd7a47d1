import type { Layer } from './open.ts';
import { type Shape, shapeOf } from './shape.ts';

/** Units that a window holds: one L2 table of 64 KiB clusters. */
const WINDOW_UNITS = 8192;

/** A chain of layers, oldest first, and what its composition needs of all headers. */
export interface Chain {
  readonly layers: readonly Layer[];
  readonly shapes: readonly Shape[];
  /** Below how many bytes each layer is visible: its own size and those of all newer layers bound it. */
  readonly limits: Float64Array;
  /** Guest bytes of the leaf. */
  readonly size: number;
  /** The smallest cluster or subcluster of the chain. */
  readonly unit: number;
  /** Guest bytes of a window, a multiple of every cluster size. */
  readonly window: number;
}

function limitsOf(layers: readonly Layer[]): Float64Array {
  const limits = new Float64Array(layers.length);
  let limit = Number.POSITIVE_INFINITY;
  for (let index = layers.length - 1; index >= 0; index--) {
    limit = Math.min(limit, layers[index]?.header.size ?? 0);
    limits[index] = limit;
  }
  return limits;
}

/** What is the same for all windows of a chain; `layers` oldest first, at least one. */
export function chainOf(layers: readonly Layer[]): Chain {
  const shapes = layers.map((layer) => shapeOf(layer.header));
  const unit = Math.min(...shapes.map((shape) => shape.unit));
  const size = layers.at(-1)?.header.size ?? 0;
  return { layers, shapes, limits: limitsOf(layers), size, unit, window: unit * WINDOW_UNITS };
}

/** Whether no layer has anything to say about the guest bytes from `at` to `end`. */
export function isBlank(chain: Chain, at: number, end: number): boolean {
  if ((chain.limits[0] as number) < end) return false;
  return chain.layers.every(({ l1 }, index) => {
    const { reach } = chain.shapes[index] as Shape;
    const stop = Math.ceil(end / reach);
    for (let entry = Math.floor(at / reach); entry < stop; entry++) if (l1[entry] !== 0) return false;
    return true;
  });
}
