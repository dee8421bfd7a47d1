import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { Undo } from '@platter/host/undo';
import { clear, ended, type Traces } from './backup-jobs.ts';
import type { Captured, CaptureWish } from './capture.ts';
import { checkpointName, spentMarks } from './checkpoint.ts';
import type { DraftPlan } from './draft.ts';
import { growing } from './drafting.ts';
import { enterAny, freshId, settleIn } from './entering.ts';
import { diskPaths } from './layout.ts';
import { openNodes, type Pushing, preparePush } from './live.ts';
import type { BackupSet } from './manifest-kinds.ts';
import { tell } from './preparing.ts';
import { discard, ensureDisk, publishSet } from './publish.ts';
import { makeTarget, ownersOf } from './push-target.ts';
import { type Placed, type Scene, settle } from './pushed-point.ts';
import {
  addTarget,
  beginBackups,
  dismissJob,
  jobName,
  removeLiveBitmap,
  removeNode,
  targetName,
} from './qemu-backup.ts';
import type { Monitor } from './qemu-monitor.ts';
import { openRepository } from './repository.ts';
import { setOf, takenAt } from './run.ts';
import { isPublished, rotate } from './tracking.ts';

const nextName = ({ run }: Scene): string => checkpointName(run.facts.repo.id, run.id);

/** The folder of a disk and the empty image that is filled. */
async function placed({ call, run, monitor, owners }: Scene, one: Pushing, undo: Undo): Promise<Placed> {
  const { facts, id, taken, wish } = run;
  const { disk, uid: said } = one.wish;
  const paths = diskPaths(facts.paths, disk);
  const uid = await ensureDisk(call.host, { facts, disk, uid: said ?? call.uuid(), at: taken.capturedAt });
  const { type } = one.decision;
  const plan: DraftPlan = { ...growing(paths, id), virtualSize: one.node.size, type, workers: wish.workers };
  undo.add('remove the temporary files', async () => {
    for (const path of [plan.data, plan.digests]) await discard(call.host, path);
  });
  await makeTarget(call.host, plan, owners);
  await addTarget(monitor, targetName(disk), plan.data);
  return { ...one, uid, paths, plan };
}

/** Waits for the jobs, all of which must end well. */
async function concluded(call: Call<unknown>, monitor: Monitor, all: readonly Pushing[]): Promise<void> {
  const ids = all.map(({ wish }) => jobName(wish.disk));
  const total = all.reduce((sum, { node }) => sum + node.size, 0);
  const progress = call.progress('push', total);
  const jobs = await ended(monitor, ids, (done) => progress.update(done));
  progress.end();
  const bad = jobs.find(({ error }) => error !== null);
  if (bad) throw new Failure('failed', `QEMU could not push ${bad.id}`, { details: { said: bad.error ?? '' } });
  const lost = ids.find((id) => !jobs.some((job) => job.id === id));
  if (lost) throw new Failure('failed', `QEMU knows nothing of ${lost} any more: could not tell`);
}

/** Pushes all disks as they are at one moment; what stays in QEMU are the new bitmaps. */
async function pushAll(scene: Scene, all: readonly Placed[]): Promise<void> {
  const { call, monitor, run } = scene;
  const since = ({ decision: { base } }: Placed) => base && checkpointName(run.facts.repo.id, base.id);
  const next = nextName(scene);
  await beginBackups(
    monitor,
    all.map((one) => ({ disk: one.wish.disk, node: one.node, since: since(one), next })),
  );
  if (!call.host.dry) await concluded(call, monitor, all);
  for (const { wish } of all) await dismissJob(monitor, jobName(wish.disk));
  for (const { wish } of all) await removeNode(monitor, targetName(wish.disk));
}

async function rotateLive({ call, monitor, run }: Scene, one: Pushing, isNew: boolean): Promise<void> {
  const { facts, id } = run;
  const names = spentMarks(one.marks, { repo: facts.repo.id, base: one.decision.base, id, isNew });
  const remove = (name: string) => removeLiveBitmap(monitor, one.node.name, name);
  await rotate(call, { source: one.node.name, names, remove });
}

/** What a run that failed leaves in QEMU: its new bitmaps stay where their point is published. */
async function broken({ run, ...scene }: Scene, all: readonly Pushing[]): Promise<Traces[]> {
  const traces: Traces[] = [];
  for (const { wish, node } of all) {
    const { disk } = wish;
    const isKept = await isPublished(scene.call.host, run.facts, { disk, id: run.id });
    traces.push({ disk, node: node.name, isSpent: (name) => !isKept && name === nextName({ run, ...scene }) });
  }
  return traces;
}

type Done = (captured: Captured) => Promise<void>;

/** Pushes and publishes point by point. When it fails, QEMU keeps no job, no target and no bitmap without a point. */
async function points(scene: Scene, all: readonly Pushing[], done: Done): Promise<Captured[]> {
  const undo = new Undo();
  const captured: Captured[] = [];
  return undo.guard(async () => {
    undo.add('clear what is left in QEMU', async () => clear(scene.monitor, await broken(scene, all)));
    const ready: Placed[] = [];
    for (const one of all) ready.push(await placed(scene, one, undo));
    await pushAll(scene, ready);
    for (const one of scene.call.host.dry ? [] : ready) {
      captured.push(await settle(scene, one, undo));
      await done(captured.at(-1) as Captured);
    }
    return captured;
  });
}

/** Publishes the set and takes away the bitmaps that nothing goes by any more. A dry run has captured nothing. */
async function finish(scene: Scene, all: readonly Pushing[], captured: Captured[]): Promise<BackupSet | null> {
  const { call, run } = scene;
  if (call.host.dry) return null;
  const set = await publishSet(call.host, run.facts, { set: setOf(run, captured), attachments: run.wish.attachments });
  for (const [n, one] of all.entries()) await rotateLive(scene, one, captured[n]?.outcome === 'created');
  return set;
}

/** A capture run by a running QEMU, which pushes all disks as they are at one moment (spec 3.3). */
export async function push(
  call: Call<unknown>,
  { wish, socket }: { wish: CaptureWish; socket: string },
  done: Done,
): Promise<{ set: BackupSet | null; captured: Captured[] }> {
  const monitor: Monitor = { host: call.host, path: socket };
  const repo = await openRepository(call.host, wish.root);
  const nodes = await openNodes(monitor, wish);
  const entered = await enterAny(call, repo, { ...wish.place, wait: wish.wait });
  const { facts } = entered;
  const all = nodes.map((one) => preparePush(facts, wish, one));
  for (const one of all) tell(call, one);
  const now = call.now();
  await settleIn(call, entered, { wait: wish.wait, now });
  const left = all.map(({ wish: { disk }, node, strays }) => ({
    ...{ disk, node: node.name },
    isSpent: (name: string) => strays.includes(name),
  }));
  await clear(monitor, left);
  const run = { wish, facts, id: freshId(facts, now, () => call.random(2)), taken: takenAt(wish, now) };
  const scene: Scene = { call, monitor, run, owners: await ownersOf(call.host, socket, call.uid) };
  const captured = await points(scene, all, done);
  return { set: await finish(scene, all, captured), captured };
}
