import type { Call } from '@platter/command/call';
import { rename, sync } from '@platter/host/changes';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import type { Captured, Prepared, Run } from './capture.ts';
import { chainOf } from './chain.ts';
import { Comparison } from './comparison.ts';
import { Draft, type DraftPlan } from './draft.ts';
import { refuse } from './finding.ts';
import { type DiskPaths, dataName, digestName, diskPaths, pointName, temporary } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { openChain } from './opening.ts';
import { read } from './origin.ts';
import { type Captor, pointOf } from './point-manifest.ts';
import { discard, ensureDisk, publish } from './publish.ts';
import { readBack } from './read-back.ts';
import { showPour } from './rehearsal.ts';
import { restoreLoose } from './repository.ts';
import { reread } from './rereading.ts';
import { bytesOf, type Clusters, countOf, merged, type Scope } from './scope.ts';
import { type Stack, stackOf } from './stack.ts';
import { controls, scopeOf, seam } from './surveying.ts';

/** The chain an incremental stands on, its files checked and held open. */
async function openParent(
  { host }: Call<unknown>,
  { facts }: Run,
  { decision, parent, wish }: Prepared,
): Promise<Stack | null> {
  const disk = facts.disks.find(({ name }) => name === wish.disk);
  if (decision.type === 'full' || !parent || !disk) return null;
  const { links } = chainOf({ facts, disk }, parent.point.id);
  const { links: open, findings } = await openChain(host, disk, links);
  const hint = `--full starts a new chain; ${restoreLoose}`;
  refuse(findings, `cannot capture onto ${parent.point.id}: its chain is damaged`, hint);
  return stackOf(open);
}

interface Making extends Captor {
  paths: DiskPaths;
  parent: Stack | null;
  draft: Draft;
}

const each = (clusters: readonly Clusters[]): number[] =>
  clusters.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, n) => first + n));

/** Reads what the scope says, and gives the content digest; what differs goes to the draft. */
async function compared({ call, run, prepared, parent, draft }: Making, { read: wanted, zero }: Scope) {
  const { origin } = prepared;
  const control = controls(prepared, { read: wanted, zero }, call.random(4));
  const forced = parent === null ? null : seam(parent.virtualSize, origin.size);
  const sides = { parent, virtualSize: origin.size, zero, forced, control: new Set(each(control)), draft };
  const comparison = new Comparison(sides);
  const all = merged(wanted, control);
  const progress = call.progress(
    prepared.wish.disk,
    bytesOf(all, origin.size).reduce((sum, { length }) => sum + length, 0),
  );
  let done = 0;
  for await (const slab of read(origin, bytesOf(all, origin.size), run.wish.workers)) {
    await comparison.take(slab);
    done += slab.count * 65_536;
    progress.update(done);
  }
  progress.end();
  return { ...(await comparison.finish()), bytesRead: countOf(all) * 65_536 };
}

function refuseMoved({ prepared: { origin } }: Making): void {
  if (origin.held.same()) return;
  throw new Failure('busy', `${origin.path} changed while it was read`, { hint: 'capture a snapshot of it' });
}

function refuseRot({ prepared }: Making, before: string | null): void {
  const { parent } = prepared;
  if (before === null || before === parent?.point.contentSha256) return;
  throw new Failure('corrupt', `cannot capture onto ${parent?.point.id}: its chain does not compose to its content`, {
    hint: `--full starts a new chain; ${restoreLoose}`,
  });
}

/** Puts the finished files in place and commits the manifest; until then an error takes everything away again. */
async function commit(
  { call, paths, parent }: Making,
  [plan, point]: readonly [DraftPlan, Point],
  undo: Undo,
): Promise<void> {
  const { host } = call;
  if (!host.dry) await readBack(host, plan, { point, parent });
  const goals = [`${paths.data}/${point.data.file}`, `${paths.data}/${point.digests.file}`] as const;
  const manifest = `${paths.points}/${pointName(point.sequence, point.id)}`;
  undo.add('remove the unpublished files', async () => {
    if ((await host.query(lstat(manifest))) === null) for (const goal of goals) await discard(host, goal);
  });
  await host.change(rename(plan.data, goals[0]));
  await host.change(rename(plan.digests, goals[1]));
  await host.change(sync(paths.data));
  await publish(host, [paths.points, pointName(point.sequence, point.id)], point);
}

function linksOf({ decision, parent }: Prepared): number {
  return decision.type === 'full' ? 1 : (parent?.links ?? 0) + 1;
}

async function made(making: Making, [plan, undo]: readonly [DraftPlan, Undo]): Promise<Captured> {
  const { call, prepared, draft } = making;
  const scope = await scopeOf(call.host, prepared);
  const { content, before, bytesRead } = await compared(making, scope);
  if (making.run.wish.verify) await reread(prepared.origin, content, making.run.wish.workers);
  refuseMoved(making);
  refuseRot(making, before);
  const { parent } = prepared;
  if (parent && making.parent && draft.empty)
    return { outcome: 'unchanged', point: parent.point, links: parent.links, bytesRead };
  const finished = await draft.finish();
  draft.close();
  if (call.host.dry) await showPour(call.host, prepared, { plan, parent: making.parent });
  const point = pointOf(making, content, finished);
  await commit(making, [plan, point], undo);
  return { outcome: 'created', point, links: linksOf(prepared), bytesRead };
}

/** Captures one disk (spec 3.2, steps 1 and 3 to 7); nothing half made stays when it fails. */
export async function capturePoint(call: Call<unknown>, run: Run, prepared: Prepared): Promise<Captured> {
  const { facts, id, at, wish } = run;
  const paths = diskPaths(facts.paths, prepared.wish.disk);
  const uid = await ensureDisk(call.host, {
    facts,
    disk: prepared.wish.disk,
    uid: prepared.wish.uid ?? call.uuid(),
    at,
  });
  const parent = await openParent(call, run, prepared);
  const [data, digests] = [
    `${paths.data}/${temporary}${dataName(id, 0)}`,
    `${paths.data}/${temporary}${digestName(id, 0)}`,
  ];
  const { type } = prepared.decision;
  const plan: DraftPlan = { data, digests, virtualSize: prepared.origin.size, type, workers: wish.workers };
  const draft = new Draft(call.host, plan);
  const undo = new Undo();
  undo.add('remove the temporary files', async () => {
    draft.close();
    for (const path of [data, digests]) await discard(call.host, path);
  });
  return undo.guard(() => made({ call, run, prepared, paths, uid, parent, draft }, [plan, undo]));
}
