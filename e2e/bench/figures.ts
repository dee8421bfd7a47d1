/** The middle of a list, the mean of the middle two when its length is even. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2;
}

export interface Ratio {
  /** Median of the ratios of the rounds; what disturbs a whole round disturbs both of its sides. */
  median: number;
  low: number;
  high: number;
}

/** Ours to theirs, round by round. */
export function paired(ours: readonly number[], theirs: readonly number[]): Ratio {
  const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}
