import { Failure } from '@platter/host/failure';
import { addressName } from './address.ts';
import { chainOf } from './chain.ts';
import { nameOf, type Scene } from './chain-rules.ts';
import { clustersOf } from './digest.ts';
import type { Finished } from './draft.ts';
import { refuse } from './finding.ts';
import { clusterSize, dataName, digestName, mergesIn } from './layout.ts';
import { seal } from './manifest.ts';
import type { Point } from './manifest-kinds.ts';
import { restoreLoose } from './repository.ts';
import { windowBytes } from './stack.ts';

/** Points that become one: the chain of the newest of them, and where in it they begin. */
export interface Run {
  chain: readonly Point[];
  first: number;
}

/** The point that takes the others up. */
export const into = ({ chain }: Run): Point => chain.at(-1) as Point;
/** The points that are taken up, oldest first. */
export const takenUp = ({ chain, first }: Run): readonly Point[] => chain.slice(first, -1);
/** All of them, and how many merges the last one has seen when this one is done. */
const members = ({ chain, first }: Run): readonly Point[] => chain.slice(first);
const mergesAfter = (run: Run): number => (mergesIn(into(run).data.file, into(run).id, 'qcow2') ?? 0) + 1;

function refuseNamed(scene: Scene, run: Run): void {
  const ids = takenUp(run).map(({ id }) => id);
  const names = scene.facts.sets.flatMap(({ value }) =>
    value?.members.some(({ disk, point }) => disk === scene.disk.name && ids.includes(point)) ? [value.id] : [],
  );
  if (names.length === 0) return;
  throw new Failure('refused', `will not merge into ${nameOf(scene, into(run).id)}: sets need what would go`, {
    details: { by: names.map((ref) => addressName({ ...scene.facts, disk: null, ref })).join(', ') },
    hint: 'backup-chain prune decides which sets go',
  });
}

/**
 * The points from one up to the one they become a part of; null when that was done before. 5 when the chain is
 * damaged; 3 when the first is no ancestor of the last, or a set names a point that would go.
 */
export function runOf(scene: Scene, { from, to }: { from: string; to: string }): Run | null {
  const { links: chain, findings } = chainOf(scene, to);
  refuse(findings, `${nameOf(scene, to)} is damaged`, restoreLoose);
  const run = { chain, first: chain.findIndex(({ id }) => id === from) };
  if (run.first < 0 && into(run).supersedes.includes(from)) return null;
  if (run.first < 0 || from === to)
    throw new Failure('refused', `${from} is no ancestor of ${nameOf(scene, to)}`, {
      hint: `backup-chain show ${nameOf(scene, to)}`,
    });
  refuseNamed(scene, run);
  return run;
}

/** Bytes of a data file in which every cluster of the guest is stored, and tables besides, at most. */
function fullest(virtualSize: number): number {
  const windows = Math.ceil(virtualSize / windowBytes);
  const used = clustersOf(virtualSize) + windows + clustersOf(windows * 8) + 4;
  return Math.ceil(used * (1 + 1 / 16_384)) * clusterSize;
}

/** Whether increments are taken into a full of the size that the disk has now. */
export const isFold = ({ chain, first }: Run): boolean =>
  first === 0 && chain[0]?.virtualSize === chain.at(-1)?.virtualSize;

/**
 * Bytes that are written at most: what the files hold together (of a full that is cloned only what changes), and where
 * the size of the disk changed meanwhile a cluster and the tables of what was cut off.
 */
export function upperBound(run: Run, method: 'write' | 'reflink'): number {
  const { virtualSize } = into(run);
  const points = members(run).slice(method === 'reflink' ? 1 : 0);
  const sizes = new Set(members(run).map((point) => point.virtualSize));
  const cut = sizes.size > 1 ? points.length + Math.ceil(virtualSize / windowBytes) : 0;
  const held = points.reduce((sum, { data }) => sum + data.size + data.zeroClusters * clusterSize, cut * clusterSize);
  return Math.ceil(Math.min(held, fullest(virtualSize)) * (1 + 32 / clusterSize));
}

/** The names that the merged point's files get. */
export const mergedNames = (run: Run): { data: string; digests: string; merges: number } => {
  const [{ id }, merges] = [into(run), mergesAfter(run)];
  return { data: dataName(id, merges), digests: digestName(id, merges), merges };
};

/** What the last point's manifest says when it has taken up the others; its content and its state stay. */
export function mergedPoint(run: Run, { size, dataClusters, zeroClusters, digestsSha256 }: Finished): Point {
  const { self: _, ...kept } = into(run);
  const [{ type, parent }] = members(run) as [Point];
  const names = mergedNames(run);
  return seal({
    ...kept,
    type,
    parent,
    supersedes: [...takenUp(run).flatMap(({ id, supersedes }) => [...supersedes, id]), ...kept.supersedes],
    data: { file: names.data, size, dataClusters, zeroClusters },
    digests: { file: names.digests, sha256: digestsSha256 },
  });
}

/**
 * Names of the files that a merge makes needless, relative to the disk's folder: manifests first, the newest before
 * the older ones, so that what is left of them is a chain; then their data.
 */
export function needless(run: Run, manifestName: (point: Point) => string): string[] {
  const gone = takenUp(run).toReversed();
  const files = ({ data, digests }: Point) => [`data/${data.file}`, `data/${digests.file}`];
  return [...gone.map((point) => `points/${manifestName(point)}`), ...gone.flatMap(files), ...files(into(run))];
}
