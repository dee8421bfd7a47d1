import { clusterSize } from './layout.ts';
import type { Range } from './stack.ts';

/** Clusters `first` to before `end`. */
export interface Clusters {
  first: number;
  end: number;
}

/** What of a source is read, and what is known to be zero without; both ascending, in whole clusters. */
export interface Scope {
  read: Clusters[];
  zero: Clusters[];
}

/** Ranges of bytes, ascending, as the clusters they touch, no cluster twice. */
export function touched(ranges: Iterable<Range>): Clusters[] {
  const found: Clusters[] = [];
  for (const { at, length } of ranges) {
    const [first, end] = [Math.floor(at / clusterSize), Math.ceil((at + length) / clusterSize)];
    const last = found.at(-1);
    if (last !== undefined && first <= last.end) last.end = Math.max(last.end, end);
    else if (end > first) found.push({ first, end });
  }
  return found;
}

/** Single clusters, ascending, as runs of them. */
export function joined(clusters: readonly number[]): Clusters[] {
  const found: Clusters[] = [];
  for (const cluster of clusters) {
    const last = found.at(-1);
    if (last !== undefined && cluster <= last.end) last.end = Math.max(last.end, cluster + 1);
    else found.push({ first: cluster, end: cluster + 1 });
  }
  return found;
}

/** Ranges of bytes, ascending, as the clusters that lie wholly inside; the guest's last one may be short. */
export function inside(ranges: Iterable<Range>, size: number): Clusters[] {
  const found: Clusters[] = [];
  for (const { at, length } of ranges) {
    const end = at + length === size ? Math.ceil(size / clusterSize) : Math.floor((at + length) / clusterSize);
    const first = Math.ceil(at / clusterSize);
    if (end > first) found.push({ first, end });
  }
  return found;
}

/** What is in `all` and not in `some`; both ascending. */
export function without(all: readonly Clusters[], some: readonly Clusters[]): Clusters[] {
  const left: Clusters[] = [];
  let n = 0;
  for (const { first, end } of all) {
    let from = first;
    while (n < some.length && (some[n] as Clusters).end <= from) n += 1;
    for (let m = n; m < some.length && (some[m] as Clusters).first < end; m += 1) {
      const gap = some[m] as Clusters;
      if (gap.first > from) left.push({ first: from, end: gap.first });
      from = Math.max(from, gap.end);
    }
    if (from < end) left.push({ first: from, end });
  }
  return left;
}

export const countOf = (clusters: readonly Clusters[]): number =>
  clusters.reduce((sum, { first, end }) => sum + end - first, 0);

/** Clusters as ranges of bytes of a source of `size` bytes. */
export function* bytesOf(clusters: Iterable<Clusters>, size: number): Generator<Range> {
  for (const { first, end } of clusters)
    yield { at: first * clusterSize, length: Math.min(end * clusterSize, size) - first * clusterSize };
}

/** The `n`-th cluster of a list, counted through. */
function nth(clusters: readonly Clusters[], n: number): number {
  let left = n;
  for (const { first, end } of clusters) {
    if (left < end - first) return first + left;
    left -= end - first;
  }
  return -1;
}

/**
 * Some clusters of a list to look at: 1 in 1024, at least 64, each from its own stretch of the list. `chance` gives
 * numbers from 0 to below 1.
 */
export function samples(clusters: readonly Clusters[], chance: () => number): Clusters[] {
  const total = countOf(clusters);
  const count = Math.min(total, Math.max(64, Math.ceil(total / 1024)));
  const picks = Array.from({ length: count }, (_, n) => {
    const [from, to] = [Math.floor((n * total) / count), Math.floor(((n + 1) * total) / count)];
    return nth(clusters, from + Math.floor(chance() * (to - from)));
  });
  return joined(picks);
}

/** Both lists as one; ascending. */
export const merged = (a: readonly Clusters[], b: readonly Clusters[]): Clusters[] => {
  const all = [...a, ...b].sort((x, y) => x.first - y.first);
  return touched(all.map(({ first, end }) => ({ at: first * clusterSize, length: (end - first) * clusterSize })));
};
