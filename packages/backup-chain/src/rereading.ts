import { Failure } from '@platter/host/failure';
import { ContentDigest, digestAt } from './digest.ts';
import { clusterSize } from './layout.ts';
import { type Origin, read } from './origin.ts';
import { bytesOf, touched } from './scope.ts';

/** Reads a whole source once more; 5 unless it holds the content that was captured. */
export async function reread(origin: Origin, content: string, workers: number): Promise<void> {
  const found = new ContentDigest(origin.size);
  const all = touched([{ at: 0, length: origin.size }]);
  for await (const { count, at, sha256 } of read(origin, bytesOf(all, origin.size), workers))
    for (let n = 0; n < count; n += 1) found.add((at[n] as number) / clusterSize, digestAt(sha256, n));
  if (found.hex() === content) return;
  throw new Failure('corrupt', `${origin.path} does not hold what was captured of it`, {
    hint: '--engine diff reads everything; a list of changes left something out, or the source cannot be read reliably',
  });
}
