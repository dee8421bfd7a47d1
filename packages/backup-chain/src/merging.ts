import { hash } from 'node:crypto';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { space, text } from '@platter/host/looks';
import type { Undo } from '@platter/host/undo';
import { replaceWhole } from '@platter/host/whole';
import { formatSize } from '@platter/units/size';
import { nameOf, type Scene } from './chain-rules.ts';
import type { Draft, DraftPlan } from './draft.ts';
import { drafting, growing, place } from './drafting.ts';
import { refuse } from './finding.ts';
import { pointName, temporary } from './layout.ts';
import { manifestText } from './manifest.ts';
import type { Point } from './manifest-kinds.ts';
import { openChain } from './opening.ts';
import { discard } from './publish.ts';
import { namedNode } from './qemu-words.ts';
import { readBack } from './read-back.ts';
import { showPour } from './rehearsal.ts';
import { restoreLoose, type VmFacts } from './repository.ts';
import { type Stack, stackOf } from './stack.ts';
import { into, mergedNames, mergedPoint, needless, type Run, runOf, takenUp, upperBound } from './superseding.ts';
import { takeOver } from './taking-over.ts';
import { makeEntry, moveInto } from './trash.ts';
import { readTrash, removeEmptyEntries } from './trash-entries.ts';

/** A run of points to be merged, by ids: those from `from` on become a part of `to`. */
export interface MergeWish {
  /** Current, and the VM is locked. */
  facts: VmFacts;
  disk: string;
  from: string;
  to: string;
  workers: number;
}

/** A run that passed, and its chain open. */
interface Merging {
  call: Call<unknown>;
  scene: Scene;
  run: Run;
  plan: DraftPlan;
  whole: Stack;
}

const spareBytes = 64 * 1024 * 1024;

const part = ({ links }: Stack, from: number, to?: number): Stack => stackOf(links.slice(from, to));
const below = ({ whole, run }: Merging): Stack | null => (run.first === 0 ? null : part(whole, 0, run.first));
const sizeOf = ({ disk }: Scene, names: readonly string[]): number =>
  disk.data.filter(({ name }) => names.includes(`data/${name}`)).reduce((sum, { size }) => sum + size, 0);

async function refuseFull({ call, scene, run }: Merging): Promise<void> {
  const needed = upperBound(run) + spareBytes;
  const { free } = await call.host.query(space(scene.disk.paths.data));
  if (free >= needed) return;
  throw new Failure('refused', `will not merge into ${nameOf(scene, into(run).id)}: the filesystem is too full`, {
    details: { needed: formatSize(needed), free: formatSize(free) },
    hint: 'backup-chain trash purge',
  });
}

/** Makes sure that the chain composes with the merged file to what was captured, past the page cache; 5 if it does not. */
async function confirm(merging: Merging): Promise<void> {
  const { call, scene, run, plan, whole } = merging;
  const from = { path: namedNode(whole), format: 'qcow2' as const };
  if (call.host.dry) return showPour(call.host, from, { plan, parent: below(merging) });
  if ((await readBack(call.host, plan, below(merging))) === into(run).contentSha256) return;
  throw new Failure('corrupt', `${nameOf(scene, into(run).id)} would not show the same when merged`, {
    hint: 'backup-chain validate --level deep',
  });
}

/** Takes the place of the last point's manifest: the commit. What came before it is taken back by `undo`. */
async function commit({ call, scene, run, plan }: Merging, point: Point, undo: Undo): Promise<number> {
  const { facts, disk } = scene;
  const { paths } = disk;
  const name = (one: Point) => pointName(one.sequence, one.id);
  const [path, after] = [`${paths.points}/${name(point)}`, manifestText(point)];
  undo.add('remove the unpublished files', async () => {
    if ((await call.host.query(text(path))) === after) return;
    for (const file of [point.data.file, point.digests.file]) await discard(call.host, `${paths.data}/${file}`);
    await removeEmptyEntries(call.host, await readTrash(call.host, facts.paths));
  });
  await place(call.host, { paths, plan, point });
  const home = (one: string) => one.slice(facts.paths.folder.length + 1);
  const gone = needless(run, name);
  const items = gone.map((one) => home(`${paths.folder}/${one}`));
  const entry = await makeEntry(call.host, {
    facts,
    op: point.type === 'full' ? 'fold' : 'merge',
    reason: `merged into ${point.id}`,
    items,
    replaced: { path: home(path), before: manifestText(into(run)), after: hash('sha256', after) },
    now: call.now(),
    random: call.random(2),
  });
  await replaceWhole(call.host, {
    path,
    temp: `${paths.points}/${temporary}${name(point)}`,
    data: after,
    mode: 0o444,
  });
  await moveInto(call.host, { entry, folder: facts.paths.folder }, items);
  return sizeOf(scene, gone);
}

async function write(merging: Merging, draft: Draft, undo: Undo): Promise<MergeDone> {
  const { call, run, whole } = merging;
  const progress = call.progress('merge', whole.virtualSize);
  await takeOver({ draft, upper: part(whole, run.first), whole, report: (done) => progress.update(done) });
  const finished = await draft.finish();
  draft.close();
  await confirm(merging);
  progress.end();
  const bytesTrashed = await commit(merging, mergedPoint(run, finished), undo);
  return { method: 'write', bytesWritten: finished.size, bytesTrashed };
}

interface MergeDone {
  method: 'write' | null;
  bytesWritten: number;
  bytesTrashed: number;
}

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
export type MergeRecord = ReturnType<typeof record>;

function sceneOf({ facts, disk: name }: MergeWish): Scene {
  const disk = facts.disks.find((one) => one.name === name);
  if (disk !== undefined) return { facts, disk };
  throw new Failure('refused', `there is no disk ${name}`);
}

async function perform(call: Call<unknown>, scene: Scene, { run, workers }: { run: Run; workers: number }) {
  const { links, findings } = await openChain(call.host, scene.disk, run.chain);
  try {
    refuse(findings, `${nameOf(scene, into(run).id)} is damaged`, restoreLoose);
    const [{ type }] = run.chain.slice(run.first) as [Point];
    const { virtualSize, id } = into(run);
    const plan = { ...growing(scene.disk.paths, id, mergedNames(run).merges), virtualSize, type, workers };
    const merging: Merging = { call, scene, run, plan, whole: stackOf(links) };
    await refuseFull(merging);
    return await drafting(call.host, plan, (draft, undo) => write(merging, draft, undo));
  } finally {
    for (const { held } of links) held.close();
  }
}

/**
 * Merges a run of points into its last one (spec 3.10); what was done before is done. 3 when it may not be, or has no
 * room; 5 when the chain is damaged or would not show the same: then nothing is changed.
 */
export async function mergeRun(call: Call<unknown>, wish: MergeWish): Promise<MergeRecord> {
  const scene = sceneOf(wish);
  const run = runOf(scene, wish);
  if (run !== null) {
    const done = await perform(call, scene, { run, workers: wish.workers });
    const became = (run.chain[run.first] as Point).type;
    return record(scene, { from: takenUp(run).map(({ id }) => id), point: { ...into(run), type: became } }, done);
  }
  const point = scene.disk.points.find(({ value }) => value?.id === wish.to)?.value as Point;
  call.note(`${wish.from} was merged into ${nameOf(scene, wish.to)} before`);
  return record(scene, { from: [], point }, { method: null, bytesWritten: 0, bytesTrashed: 0 });
}
