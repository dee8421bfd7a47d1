import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { space } from '@platter/host/looks';
import { formatSize } from '@platter/units/size';
import { nameOf, type Scene } from './chain-rules.ts';
import { drafting, growing } from './drafting.ts';
import { refuse } from './finding.ts';
import type { Point } from './manifest-kinds.ts';
import { openChain } from './opening.ts';
import { namedNode } from './qemu-words.ts';
import { showPour } from './rehearsal.ts';
import { restoreLoose, type VmFacts } from './repository.ts';
import { sharesExtents } from './sharing.ts';
import { stackOf } from './stack.ts';
import { into, isFold, mergedNames, type Run, runOf, takenUp, upperBound } from './superseding.ts';
import { below, type Merging, supplant } from './supplanting.ts';
import { takeOver } from './taking-over.ts';

/** A run of points to be merged, by ids: those from `from` on become a part of `to`. */
export interface MergeWish {
  /** Current, and the VM is locked. */
  facts: VmFacts;
  disk: string;
  from: string;
  to: string;
  workers: number;
}

/** How a merge was done; null: it was done before. */
export interface MergeDone {
  method: 'write' | 'reflink' | null;
  bytesWritten: number;
  bytesTrashed: number;
}

const spareBytes = 64 * 1024 * 1024;

/** 3 when the filesystem has no room for what will be written, by one method or the other. */
async function refuseFull({ call, scene, run }: Merging, method: 'write' | 'reflink'): Promise<void> {
  const needed = upperBound(run, method) + spareBytes;
  const { free } = await call.host.query(space(scene.disk.paths.data));
  if (free >= needed) return;
  throw new Failure('refused', `will not merge into ${nameOf(scene, into(run).id)}: the filesystem is too full`, {
    details: { needed: formatSize(needed), free: formatSize(free) },
    hint: 'backup-chain trash purge',
  });
}

async function byWriter(merging: Merging): Promise<MergeDone> {
  await refuseFull(merging, 'write');
  const { call, run, plan, whole } = merging;
  const progress = call.progress('merge', whole.virtualSize);
  return drafting(call.host, plan, async (draft, undo) => {
    const upper = stackOf(whole.links.slice(run.first));
    await takeOver({ draft, upper, whole, report: (done) => progress.update(done) });
    const finished = await draft.finish();
    draft.close();
    progress.end();
    const from = { path: namedNode(whole), format: 'qcow2' as const };
    if (call.host.dry) await showPour(call.host, from, { plan, parent: below(merging) });
    const bytesTrashed = await supplant(merging, finished, undo);
    return { method: 'write', bytesWritten: finished.size, bytesTrashed };
  });
}

/** Whether a clone is worth trying; a dry run, which cannot try, goes by the kind of filesystem. */
const mayClone = async ({ call: { host }, scene, run }: Merging): Promise<boolean> =>
  isFold(run) && (!host.dry || (await sharesExtents(host, scene.disk.paths.data)));

/** A fold shares the full's bytes where the filesystem can; everything else is written anew. */
async function merged(merging: Merging): Promise<MergeDone> {
  if (!(await mayClone(merging))) return byWriter(merging);
  await refuseFull(merging, 'reflink');
  const { byReflink } = await import('./folding.ts');
  return (await byReflink(merging)) ?? byWriter(merging);
}

async function perform(call: Call<unknown>, scene: Scene, { run, workers }: { run: Run; workers: number }) {
  const { links, findings } = await openChain(call.host, scene.disk, run.chain);
  try {
    refuse(findings, `${nameOf(scene, into(run).id)} is damaged`, restoreLoose);
    const { virtualSize, id } = into(run);
    const { type } = run.chain[run.first] as Point;
    const plan = { ...growing(scene.disk.paths, id, mergedNames(run).merges), virtualSize, type, workers };
    return await merged({ call, scene, run, plan, whole: stackOf(links) });
  } finally {
    for (const { held } of links) held.close();
  }
}

/** What a merge did, as a record. */
function record(scene: Scene, { from, point }: { from: readonly string[]; point: Point }, done: MergeDone) {
  return {
    apiVersion: 'platter.dev/v1' as const,
    kind: 'Merge' as const,
    metadata: { name: nameOf(scene, point.id) },
    from: [...from],
    into: point.id,
    became: point.type,
    ...done,
  };
}

function sceneOf({ facts, disk: name }: MergeWish): Scene {
  const disk = facts.disks.find((one) => one.name === name);
  if (disk !== undefined) return { facts, disk };
  throw new Failure('refused', `there is no disk ${name}`);
}

/**
 * Merges a run of points into its last one (spec 3.10); what was done before is done. 3 when it may not be, or has no
 * room; 5 when the chain is damaged or would not show the same: then nothing is changed.
 */
export async function mergeRun(call: Call<unknown>, wish: MergeWish): Promise<ReturnType<typeof record>> {
  const scene = sceneOf(wish);
  const run = runOf(scene, wish);
  if (run !== null) {
    const done = await perform(call, scene, { run, workers: wish.workers });
    const { type } = run.chain[run.first] as Point;
    return record(scene, { from: takenUp(run).map(({ id }) => id), point: { ...into(run), type } }, done);
  }
  const point = scene.disk.points.find(({ value }) => value?.id === wish.to)?.value as Point;
  call.note(`${wish.from} was merged into ${nameOf(scene, wish.to)} before`);
  return record(scene, { from: [], point }, { method: null, bytesWritten: 0, bytesTrashed: 0 });
}
