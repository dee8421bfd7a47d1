import type { Chain } from './chain.ts';
import type { Canvas } from './paint.ts';
import type { Shape } from './shape.ts';
import { ABSENT, COMPRESSED, DATA } from './table.ts';

/** What a stretch of the guest is. */
export type Kind = 'absent' | 'zero' | 'data' | 'compressed';

/**
 * A stretch of the guest and the layer that wins it (-1 where none has an entry). `host` and `hostLength` say where
 * its bytes lie in that layer's file; of a compressed cluster they cover the packed cluster that holds the stretch.
 * `cut`, where not null: only that many bytes of the stretch are the layer's, the rest reads as zero.
 */
export interface Span {
  at: number;
  length: number;
  kind: Kind;
  layer: number;
  host: number;
  hostLength: number;
  cut: number | null;
}

const names: readonly Kind[] = ['absent', 'zero', 'data', 'compressed'];

const limitOf = (chain: Chain, canvas: Canvas, unit: number): number =>
  chain.limits[canvas.layer[unit] as number] ?? Number.POSITIVE_INFINITY;

const hasBytes = (kind: number | undefined): boolean => kind === DATA || kind === COMPRESSED;

/** Whether the layer of a unit ends inside it. */
const isCut = (chain: Chain, canvas: Canvas, unit: number): boolean =>
  hasBytes(canvas.kind[unit]) &&
  limitOf(chain, canvas, unit) < Math.min(canvas.end, canvas.at + (unit + 1) * chain.unit);

/** Whether a unit goes on where the one before it ends. */
function continues(chain: Chain, canvas: Canvas, unit: number): boolean {
  const { kind, host, layer } = canvas;
  if (kind[unit] !== kind[unit - 1] || layer[unit] !== layer[unit - 1]) return false;
  if (!hasBytes(kind[unit])) return true;
  if (isCut(chain, canvas, unit)) return false;
  if (kind[unit] === DATA) return host[unit] === (host[unit - 1] as number) + chain.unit;
  const { clusterSize } = chain.shapes[layer[unit] as number] as Shape;
  return (canvas.at + unit * chain.unit) % clusterSize !== 0;
}

/** The span of units `first` to before `stop`, which go on in each other; it begins at `from` or later. */
function spanOf(
  chain: Chain,
  canvas: Canvas,
  { first, stop, from }: { first: number; stop: number; from: number },
): Span {
  const start = canvas.at + first * chain.unit;
  const at = Math.max(from, start);
  const length = Math.min(canvas.end, canvas.at + stop * chain.unit) - at;
  const [kind, layer] = [canvas.kind[first] ?? ABSENT, canvas.layer[first] as number];
  const name = names[kind] as Kind;
  if (!hasBytes(kind)) return { at, length, kind: name, layer, host: 0, hostLength: 0, cut: null };
  const cut = isCut(chain, canvas, first) ? Math.max(0, limitOf(chain, canvas, first) - at) : null;
  const host = canvas.host[first] as number;
  const packed = canvas.packed[first] as number;
  if (kind === COMPRESSED) return { at, length, kind: name, layer, host, hostLength: packed, cut };
  return { at, length, kind: name, layer, host: host + at - start, hostLength: length, cut };
}

/** The runs of a painted canvas from guest byte `from` on, in order. */
export function* runsOf(chain: Chain, canvas: Canvas, from: number): Generator<Span> {
  const units = Math.ceil((canvas.end - canvas.at) / chain.unit);
  for (let first = 0; first < units; ) {
    let stop = first + 1;
    if (!isCut(chain, canvas, first)) while (stop < units && continues(chain, canvas, stop)) stop++;
    yield spanOf(chain, canvas, { first, stop, from });
    first = stop;
  }
}

/** Whether `next` goes on where `span` ends; a compressed cluster never spans windows. */
function joins(span: Span, next: Span): boolean {
  if (span.kind !== next.kind || span.layer !== next.layer || span.cut !== null || next.cut !== null) return false;
  if (span.kind === 'data') return span.host + span.length === next.host;
  return span.kind !== 'compressed';
}

/** Joins spans that go on in each other, and cuts data into runs of at most `maxRun` bytes. */
export class Joiner {
  readonly #maxRun: number;
  #span: Span | null = null;

  constructor(maxRun: number) {
    this.#maxRun = maxRun;
  }

  /** Takes the next span and gives those that are done. */
  *take(next: Span): Generator<Span> {
    const span = this.#span;
    if (span !== null && joins(span, next)) {
      span.length += next.length;
      span.hostLength += next.hostLength;
    } else {
      if (span !== null) yield span;
      this.#span = { ...next };
    }
    yield* this.#cut();
  }

  *#cut(): Generator<Span> {
    for (let span = this.#span; span?.kind === 'data' && span.length > this.#maxRun; span = this.#span) {
      const length = this.#maxRun;
      const rest = { at: span.at + length, host: span.host + length, length: span.length - length };
      const cut = span.cut === null ? null : Math.max(0, span.cut - length);
      this.#span = { ...span, ...rest, hostLength: rest.length, cut };
      yield { ...span, length, hostLength: length, cut: span.cut === null ? null : Math.min(span.cut, length) };
    }
  }

  /** The last span. */
  *rest(): Generator<Span> {
    if (this.#span !== null) yield this.#span;
    this.#span = null;
  }
}
