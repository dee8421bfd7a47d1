import { Refused } from './finding.ts';
import { type Layer, l1Finding } from './open.ts';
import { shapeOf } from './shape.ts';
import { damages, decode, type Table } from './table.ts';

/** A stretch of the L2 table that one L1 entry points to: whole entries, counted from its first. */
export interface Stretch {
  index: number;
  first: number;
  entries: number;
}

/** The raw entries of a stretch and their file offset; null where the L1 entry is empty. Rejects `Refused` on a broken one. */
export async function rawEntries(layer: Layer, { index, first, entries }: Stretch) {
  const table = layer.l1[index] as number;
  if (table === 0) return null;
  if (Number.isNaN(table)) throw new Refused([await l1Finding(layer, index)]);
  const { entrySize } = shapeOf(layer.header);
  const at = table + first * entrySize;
  return { at, raw: await layer.source.read(at, entries * entrySize) };
}

/** Decodes a stretch into the first units of `into`; false where the L1 entry is empty. Rejects `Refused` on damage. */
export async function readStretch(layer: Layer, stretch: Stretch, into: Table): Promise<boolean> {
  const found = await rawEntries(layer, stretch);
  if (found === null) return false;
  const shape = shapeOf(layer.header);
  if (decode(shape, found.raw, into) > 0) throw new Refused([...damages(shape, found.raw, found.at)].slice(0, 100));
  return true;
}
