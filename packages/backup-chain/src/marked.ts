import { dirty } from '@platter/qcow2/bitmaps';
import { checkpointName } from './checkpoint.ts';
import { clustersOf, digestAt, sameDigest } from './digest.ts';
import { clusterSize } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { dataOf } from './origin.ts';
import type { Prepared } from './preparing.ts';
import { type Clusters, merged, type Scope, touched, without } from './scope.ts';
import { type Range, type Stack, stackOf, windowDigests, windows } from './stack.ts';

async function clustersIn(ranges: AsyncIterable<Range>): Promise<Clusters[]> {
  const found: Range[] = [];
  for await (const { at, length } of ranges) found.push({ at, length });
  return touched(found);
}

/** The clusters in which two states of a disk of one size differ, by their digests alone. */
async function* differences(before: Stack, after: Stack): AsyncGenerator<Range> {
  for (const window of windows(after.virtualSize)) {
    const [was, now] = [await windowDigests(before, window), await windowDigests(after, window)];
    for (let n = 0; n < clustersOf(window.length); n += 1)
      if (!sameDigest(digestAt(was, n), digestAt(now, n)))
        yield { at: window.at + n * clusterSize, length: clusterSize };
  }
}

/** A chain up to the point that a bitmap counts from. */
export function chainTo(base: Point, points: readonly Point[], { links }: Stack): Stack {
  return stackOf(links.slice(0, points.findIndex(({ id }) => id === base.id) + 1));
}

/** Clusters that may differ from the parent although nothing marks them: what was captured since from elsewhere. */
export async function unmarked(base: Point, points: readonly Point[], parent: Stack): Promise<Clusters[]> {
  if (points.at(-1)?.id === base.id) return [];
  return clustersIn(differences(chainTo(base, points, parent), parent));
}

const both = (a: readonly Clusters[], b: readonly Clusters[]): Clusters[] => without(a, without(a, b));

/**
 * What is read of a source whose bitmap counts from a point of the parent's chain: marked clusters that have bytes.
 * All that has none is compared as zero, marked or not: an image that is cut and grown again loses bytes and marks.
 */
export async function markedScope(
  { origin, decision, parent }: Prepared,
  repo: string,
  chain: Stack | null,
): Promise<Scope> {
  const [layer, base] = [origin.stack?.links[0]?.layer, decision.base];
  if (!layer || !base || !parent || !chain || !origin.stack) throw new Error('there is nothing to go by');
  const marks = await clustersIn(dirty(layer, checkpointName(repo, base.id)));
  const changed = merged(marks, await unmarked(base, parent.links, chain));
  const data = await clustersIn(dataOf(origin.stack));
  return { read: both(data, changed), zero: without(touched([{ at: 0, length: origin.size }]), data) };
}
