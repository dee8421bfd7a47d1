import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import type { Undo } from '@platter/host/undo';
import type { Captured } from './capture.ts';
import { Comparison } from './comparison.ts';
import type { Draft, DraftPlan, Finished } from './draft.ts';
import { commitPoint, drafting, growing } from './drafting.ts';
import { clusterSize, type DiskPaths, diskPaths } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { read } from './origin.ts';
import { newPoint } from './point-manifest.ts';
import type { Prepared } from './preparing.ts';
import { ensureDisk } from './publish.ts';
import { readBack, torn } from './read-back.ts';
import { showPour } from './rehearsal.ts';
import { reread } from './rereading.ts';
import { provenance, type Run } from './run.ts';
import { bytesOf, type Clusters, countOf, merged, type Scope } from './scope.ts';
import type { Stack } from './stack.ts';
import { linksOf, openParent, parentPoint, refuseRot, type Standing } from './standing.ts';
import { controls, scopeOf, seam } from './surveying.ts';

/** Who captures what, as which disk, onto what. */
interface Making {
  call: Call<unknown>;
  run: Run;
  prepared: Prepared;
  uid: string;
  paths: DiskPaths;
  parent: Stack | null;
  plan: DraftPlan;
  draft: Draft;
}

const each = (clusters: readonly Clusters[]): number[] =>
  clusters.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, n) => first + n));

/** Reads what the scope says, and gives the content digest; what differs goes to the draft. */
async function compared({ call, run, prepared, parent, draft }: Making, { read: wanted, zero }: Scope) {
  const { origin } = prepared;
  const control = controls(prepared, { read: wanted, zero }, call.random(4));
  const forced = parent === null ? null : seam(parent.virtualSize, origin.size);
  const zeroed = parent === null ? [] : zero;
  const sides = { parent, virtualSize: origin.size, zero: zeroed, forced, control: new Set(each(control)), draft };
  const comparison = new Comparison(sides);
  const all = merged(wanted, control);
  const progress = call.progress(prepared.wish.disk, countOf(all) * clusterSize);
  let done = 0;
  for await (const slab of read(origin, bytesOf(all, origin.size), run.wish.workers)) {
    await comparison.take(slab);
    done += slab.count * clusterSize;
    progress.update(done);
  }
  progress.end();
  return { ...(await comparison.finish()), bytesRead: countOf(all) * clusterSize };
}

function refuseMoved({ prepared: { origin } }: Making): void {
  if (origin.held.same()) return;
  throw new Failure('busy', `${origin.path} changed while it was read`, { hint: 'capture a snapshot of it' });
}

/** Makes sure that the files read back as they were written and compose to what was captured; 5 if they do not. */
async function confirm({ call, prepared, parent, plan }: Making, content: string): Promise<void> {
  if (call.host.dry) await showPour(call.host, prepared.origin, { plan, parent });
  else if ((await readBack(call.host, plan, parent)) !== content) throw torn(plan.data, 0);
}

function pointOf({ call, run, prepared, uid }: Making, contentSha256: string, finished: Finished): Point {
  const { decision, origin, wish } = prepared;
  const { ino, birthNs, mtimeNs, size } = origin.identity;
  const ref = wish.list?.to.ref ?? null;
  const source = { path: origin.path, ref, format: origin.format, ino, birthNs, mtimeNs, size, sourceRoot: null };
  const capture = provenance(call, run, { decision, source });
  const parent = parentPoint(standingOf(prepared));
  const { facts, id, taken } = run;
  const own = { id, type: decision.type, virtualSize: origin.size, contentSha256, capture, labels: run.wish.labels };
  return newPoint({ ...own, facts, disk: wish.disk, uid, parent, taken, finished });
}

const standingOf = ({ wish, parent, decision }: Prepared): Standing => ({ disk: wish.disk, parent, decision });

async function made(making: Making, undo: Undo): Promise<Captured> {
  const { call, prepared, draft, paths, plan } = making;
  const engineReason = prepared.decision.ignored;
  const scope = await scopeOf(call.host, prepared, { repo: making.run.facts.repo.id, chain: making.parent });
  const { content, before, bytesRead } = await compared(making, scope);
  if (making.run.wish.verify) await reread(prepared.origin, content, making.run.wish.workers);
  refuseMoved(making);
  refuseRot(standingOf(prepared), before);
  const { parent } = prepared;
  if (parent && making.parent && draft.empty)
    return { outcome: 'unchanged', point: parent.point, links: parent.links.length, bytesRead, engineReason };
  const finished = await draft.finish();
  draft.close();
  await confirm(making, content);
  const point = pointOf(making, content, finished);
  await commitPoint(call.host, { paths, plan, point }, undo);
  return { outcome: 'created', point, links: linksOf(standingOf(prepared)), bytesRead, engineReason };
}

/** Captures one disk (spec 3.2, steps 1 and 3 to 7); nothing half made stays when it fails. */
export async function capturePoint(call: Call<unknown>, run: Run, prepared: Prepared): Promise<Captured> {
  const { facts, id, taken, wish } = run;
  const { disk } = prepared.wish;
  const paths = diskPaths(facts.paths, disk);
  const fresh = prepared.wish.uid ?? call.uuid();
  const uid = await ensureDisk(call.host, { facts, disk, uid: fresh, at: taken.capturedAt });
  const parent = await openParent(call.host, facts, standingOf(prepared));
  const { type } = prepared.decision;
  const plan = { ...growing(paths, id), virtualSize: prepared.origin.size, type, workers: wish.workers };
  return drafting(call.host, plan, (draft, undo) =>
    made({ call, run, prepared, paths, uid, parent, plan, draft }, undo),
  );
}
