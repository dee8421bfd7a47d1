/** Bytes of a PV and its extents. */
export interface Grid {
  peStart: number;
  extentSize: number;
}

/** Whole extents a PV on `size` bytes can have. */
export function extentsOf(size: number, { peStart, extentSize }: Grid): number {
  return Math.max(0, Math.floor((size - peStart) / extentSize));
}
