import { Failure } from '@platter/host/failure';
import { Expected, type Look, targetDigests } from './difference.ts';
import { ContentDigest, clustersOf, sameDigest } from './digest.ts';
import { clusterSize } from './layout.ts';
import { type Clusters, countOf, joined } from './scope.ts';
import { contentOf, type Stack, spans } from './stack.ts';

/** Every n-th cluster that a sample looks at, besides the ends of each run. */
const oneIn = 64;

/** The first and last cluster of each run of one kind, and one cluster in 64 from a place that `seed` gives. */
export async function sampleOf(stack: Stack, seed: number): Promise<Clusters[]> {
  const picks: number[] = [];
  for (let cluster = seed % oneIn; cluster < clustersOf(stack.virtualSize); cluster += oneIn) picks.push(cluster);
  for await (const { at, length } of spans(stack, { at: 0, length: stack.virtualSize }))
    picks.push(Math.floor(at / clusterSize), Math.floor((at + length - 1) / clusterSize));
  return joined(picks.sort((a, b) => a - b));
}

const differs = (path: string, at: number): Failure =>
  new Failure('corrupt', `${path} does not hold what was written, at offset ${at}`, {
    hint: 'the target is not to be trusted',
  });

/** Reads a sample of the target back and compares; 5 where it differs. Says how many bytes were looked at. */
export async function verifySample(look: Look, stack: Stack, seed: number): Promise<number> {
  const clusters = await sampleOf(stack, seed);
  const expected = new Expected(stack);
  for await (const { cluster, digest } of targetDigests(look, clusters))
    if (!sameDigest(digest, await expected.at(cluster))) throw differs(look.target.path, cluster * clusterSize);
  return countOf(clusters) * clusterSize;
}

/** The content digest of what lies on a target. */
export async function targetContent(look: Look): Promise<string> {
  const content = new ContentDigest(look.virtualSize);
  for await (const { cluster, digest } of targetDigests(look, [{ first: 0, end: clustersOf(look.virtualSize) }]))
    content.add(cluster, digest);
  return content.hex();
}

/** The same; 5 unless it is that of the chain. */
export async function verifyFull(look: Look, stack: Stack, recorded: string | null): Promise<string> {
  const found = await targetContent(look);
  if (found !== (recorded ?? (await contentOf(stack)))) throw differs(look.target.path, 0);
  return found;
}
