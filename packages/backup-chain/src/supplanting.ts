import { hash } from 'node:crypto';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { text } from '@platter/host/looks';
import type { Undo } from '@platter/host/undo';
import { replaceWhole } from '@platter/host/whole';
import { nameOf, type Scene } from './chain-rules.ts';
import type { DraftPlan, Finished } from './draft.ts';
import { place } from './drafting.ts';
import { pointName, temporary } from './layout.ts';
import { manifestText } from './manifest.ts';
import type { Point } from './manifest-kinds.ts';
import { discard } from './publish.ts';
import { readBack } from './read-back.ts';
import { type Range, type Stack, stackOf } from './stack.ts';
import { into, mergedPoint, needless, type Run } from './superseding.ts';
import { makeEntry, moveInto } from './trash.ts';
import { readTrash, removeEmptyEntries } from './trash-entries.ts';

/** A run that passed, its chain open, and the files that are made of it. */
export interface Merging {
  call: Call<unknown>;
  scene: Scene;
  run: Run;
  plan: DraftPlan;
  whole: Stack;
}

/** The chain below the run; null below a full. */
export const below = ({ whole, run }: Merging): Stack | null =>
  run.first === 0 ? null : stackOf(whole.links.slice(0, run.first));

const sizeOf = ({ disk }: Scene, names: readonly string[]): number =>
  disk.data.filter(({ name }) => names.includes(`data/${name}`)).reduce((sum, { size }) => sum + size, 0);

/**
 * Makes sure that the chain composes with the merged file to what was captured; what was written of it is read back
 * past the page cache. 5 if it does not. A dry run, which made nothing, has nothing to look at.
 */
async function confirm(merging: Merging, chunks?: readonly Range[]): Promise<void> {
  const { call, scene, run, plan } = merging;
  if (call.host.dry) return;
  const written = { ...plan, ...(chunks ? { chunks } : {}) };
  if ((await readBack(call.host, written, below(merging))) === into(run).contentSha256) return;
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

/**
 * Puts a finished file in the place of those it was made of (spec 3.10, from the read back on); gives the bytes that
 * went to the trash. Until the commit an error takes everything back.
 */
export async function supplant(
  merging: Merging,
  finished: Finished & { chunks?: readonly Range[] },
  undo: Undo,
): Promise<number> {
  await confirm(merging, finished.chunks);
  return commit(merging, mergedPoint(merging.run, finished), undo);
}
