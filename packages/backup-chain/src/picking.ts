/** A point that could be drilled. */
export interface Candidate {
  name: string;
  /** Instants. */
  capturedAt: string;
  /** Of its newest receipt; null when it has none. */
  drilledAt: string | null;
}

export const orders = ['newest', 'oldest', 'stalest'] as const;
export type Order = (typeof orders)[number];

/** Since when a point is as it is sought; the smallest comes first. */
const since: Record<Order, (one: Candidate) => number> = {
  newest: ({ capturedAt }) => -Date.parse(capturedAt),
  oldest: ({ capturedAt }) => Date.parse(capturedAt),
  stalest: ({ capturedAt, drilledAt }) => Date.parse(drilledAt ?? capturedAt),
};

/** So many of the points, the longest without a receipt (or the newest, the oldest) first; those alike by name. */
export function pick<T extends Candidate>(candidates: readonly T[], order: Order, count: number): T[] {
  const key = since[order];
  return [...candidates].sort((a, b) => key(a) - key(b) || (a.name < b.name ? -1 : 1)).slice(0, count);
}
