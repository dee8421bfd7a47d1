import { Failure } from '@platter/host/failure';
import { growingWhole } from './drafting.ts';
import { Fold } from './fold.ts';
import type { Point } from './manifest-kinds.ts';
import type { MergeDone } from './merging.ts';
import { namedNode } from './qemu-words.ts';
import { showPatch } from './rehearsal.ts';
import { type Link, stackOf } from './stack.ts';
import { type Merging, supplant } from './supplanting.ts';
import { takeOver } from './taking-over.ts';

/** Whether the filesystem said that it shares no extents, and what was begun could be taken back. */
function sharesNothing(error: unknown): boolean {
  if (!(error instanceof Failure) || error.kind !== 'unsupported') return false;
  return error.details.because !== undefined && error.details.left === undefined;
}

async function folded(merging: Merging): Promise<MergeDone> {
  const { call, scene, run, plan, whole } = merging;
  const [point, link] = [run.chain[0] as Point, whole.links[0] as Link];
  const full = { point, link, list: `${scene.disk.paths.data}/${point.digests.file}` };
  const fold = new Fold(call.host, { ...plan, full });
  return growingWhole(call.host, { plan, close: () => fold.close() }, async (undo) => {
    await fold.begin();
    const progress = call.progress('merge', whole.virtualSize);
    const upper = stackOf(whole.links.slice(1));
    await takeOver({ draft: fold, upper, whole, report: (done) => progress.update(done) });
    const finished = await fold.finish();
    fold.close();
    progress.end();
    if (call.host.dry) await showPatch(call.host, namedNode(whole), plan);
    const bytesTrashed = await supplant(merging, finished, undo);
    return { method: 'reflink', bytesWritten: finished.bytesWritten, bytesTrashed };
  });
}

/** Folds increments into a clone of their full; null where the filesystem shares no extents, and nothing is left then. */
export async function byReflink(merging: Merging): Promise<MergeDone | null> {
  try {
    return await folded(merging);
  } catch (error) {
    if (sharesNothing(error)) return null;
    throw error;
  }
}
