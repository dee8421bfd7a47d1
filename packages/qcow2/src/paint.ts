import type { Chain } from './chain.ts';
import type { Layer } from './open.ts';
import type { Shape } from './shape.ts';
import { readStretch } from './stretch.ts';
import { ABSENT, DATA, newTable, type Table, ZERO } from './table.ts';

/** A window of the guest, painted from the newest layer to the oldest; a unit keeps its first colour. */
export interface Canvas extends Table {
  /** Guest offset of the first unit, and of the end. */
  at: number;
  end: number;
  /** Who painted a unit; -1 for nobody. */
  layer: Int16Array;
  /** Units nobody has painted yet. */
  left: number;
  readonly scratch: Table;
}

/** Canvases that are not in use, by their units: a chain is composed window by window, each time anew. */
const spare = new Map<number, Canvas[]>();

/** A canvas for the windows of a chain in which at most `length` bytes are looked at; what is on it means nothing yet. */
export function newCanvas(chain: Chain, length: number): Canvas {
  const units = Math.ceil(Math.min(chain.window, length + 2 * chain.unit) / chain.unit);
  const scratch = () => newTable(units + 64);
  return (
    spare.get(units)?.pop() ?? {
      ...newTable(units),
      at: 0,
      end: 0,
      layer: new Int16Array(units),
      left: 0,
      scratch: scratch(),
    }
  );
}

/** Takes back a canvas that nobody looks at any more. */
export function putBack(canvas: Canvas): void {
  const { length } = canvas.layer;
  const others = spare.get(length) ?? [];
  if (others.length < 4) spare.set(length, [...others, canvas]);
}

/** A part of one L2 table, decoded into the scratch: its first guest byte, and the guest bytes wanted of it. */
interface Part {
  base: number;
  from: number;
  to: number;
}

const unitsTo = (chain: Chain, canvas: Canvas, byte: number): number => Math.ceil((byte - canvas.at) / chain.unit);

/** Beyond the end of layer `index` the older ones are hidden, and zeroes show. */
function hideBelow(chain: Chain, canvas: Canvas, index: number): void {
  const limit = chain.limits[index] as number;
  if (limit >= canvas.end) return;
  const stop = unitsTo(chain, canvas, canvas.end);
  for (let unit = Math.max(0, unitsTo(chain, canvas, limit)); unit < stop; unit++) {
    if (canvas.layer[unit] !== -1) continue;
    canvas.kind[unit] = ZERO;
    canvas.layer[unit] = index;
    canvas.left--;
  }
}

function overlay(chain: Chain, canvas: Canvas, { index, part }: { index: number; part: Part }): void {
  const { scratch } = canvas;
  const shift = Math.log2((chain.shapes[index] as Shape).unit / chain.unit);
  const skew = (canvas.at - part.base) / chain.unit;
  const inner = 2 ** shift - 1;
  const stop = unitsTo(chain, canvas, part.to);
  for (let unit = (part.from - canvas.at) / chain.unit; unit < stop; unit++) {
    const source = (unit + skew) >> shift;
    const kind = scratch.kind[source] as number;
    if (kind === ABSENT || canvas.layer[unit] !== -1) continue;
    canvas.kind[unit] = kind;
    canvas.host[unit] = (scratch.host[source] as number) + (kind === DATA ? ((unit + skew) & inner) * chain.unit : 0);
    canvas.packed[unit] = scratch.packed[source] as number;
    canvas.layer[unit] = index;
    canvas.left--;
  }
}

/** Paints what L1 entry `entry` of a layer says about the canvas. */
async function paintEntry(chain: Chain, canvas: Canvas, { index, entry }: { index: number; entry: number }) {
  const { reach, clusterSize } = chain.shapes[index] as Shape;
  const start = entry * reach;
  const from = Math.max(canvas.at, start);
  const to = Math.min(canvas.end, chain.limits[index] as number, start + reach);
  const first = Math.floor((from - start) / clusterSize);
  const entries = Math.ceil((to - start) / clusterSize) - first;
  const found = await readStretch(chain.layers[index] as Layer, { index: entry, first, entries }, canvas.scratch);
  if (found) overlay(chain, canvas, { index, part: { base: start + first * clusterSize, from, to } });
}

async function paintLayer(chain: Chain, canvas: Canvas, index: number): Promise<void> {
  hideBelow(chain, canvas, index);
  const { reach } = chain.shapes[index] as Shape;
  const { l1 } = chain.layers[index] as Layer;
  const end = Math.min(canvas.end, chain.limits[index] as number);
  for (let entry = Math.floor(canvas.at / reach); entry * reach < end && canvas.left > 0; entry++) {
    if (l1[entry] !== 0) await paintEntry(chain, canvas, { index, entry });
  }
}

/** Paints the guest bytes from `at` (down to a unit) to `end`; older layers are read only while units are left. */
export async function paint(chain: Chain, canvas: Canvas, { at, end }: { at: number; end: number }): Promise<void> {
  canvas.at = Math.floor(at / chain.unit) * chain.unit;
  canvas.end = end;
  canvas.left = unitsTo(chain, canvas, end);
  canvas.layer.fill(-1, 0, canvas.left);
  canvas.kind.fill(ABSENT, 0, canvas.left);
  for (let index = chain.layers.length - 1; index >= 0 && canvas.left > 0; index--) {
    await paintLayer(chain, canvas, index);
  }
}
