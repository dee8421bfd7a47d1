import type { Header } from './header.ts';
import { type Layer, surveyLayer } from './open.ts';
import { type Shape, shapeOf } from './shape.ts';
import type { ByteSource } from './source.ts';
import { rawEntries } from './stretch.ts';
import { decode, newTable, type Table } from './table.ts';

/** Decoded entries of one L2 table, or of a part of a large one; overwritten by the next window. */
export interface Window extends Table {
  /** Guest offset of the first unit. Units beyond the virtual size are included. */
  at: number;
  /** How many units there are, and the guest bytes of one. */
  units: number;
  unit: number;
  /** How many entries break a rule; their units have kind `DAMAGED`. */
  damaged: number;
  /** The entries as they stand in the file, and their offset there. */
  raw: Uint8Array;
  rawAt: number;
}

const MAX_UNITS = 65536;

/** Entries of one window: a whole L2 table, or a part of a large one. */
const entriesPerWindow = (shape: Shape): number =>
  Math.min(shape.clusterSize / shape.entrySize, MAX_UNITS / shape.units);

/** The windows of the L2 table of L1 entry `index`. Rejects `Refused` where the L1 entry is broken. */
export async function* windowsOf(layer: Layer, index: number, table: Table): AsyncGenerator<Window> {
  const shape = shapeOf(layer.header);
  const perTable = shape.clusterSize / shape.entrySize;
  const entries = entriesPerWindow(shape);
  for (let first = 0; first < perTable; first += entries) {
    const found = await rawEntries(layer, { index, first, entries });
    if (found === null) return;
    const at = index * shape.reach + first * shape.clusterSize;
    const damaged = decode(shape, found.raw, table);
    yield { ...table, at, units: entries * shape.units, unit: shape.unit, damaged, raw: found.raw, rawAt: found.at };
  }
}

/** A table that holds any window of an image. */
export function windowTable(header: Header): Table {
  const shape = shapeOf(header);
  return newTable(entriesPerWindow(shape) * shape.units);
}

/** All L2 tables that exist, in guest order, one at a time. Rejects `Refused` on a corrupt header or L1 entry. */
export async function* windows(source: ByteSource, header: Header): AsyncGenerator<Window> {
  const layer = await surveyLayer(source, header);
  const table = windowTable(header);
  for (let index = 0; index < layer.l1.length; index++) {
    if (layer.l1[index] !== 0) yield* windowsOf(layer, index, table);
  }
}
