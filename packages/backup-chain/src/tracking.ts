import type { Call } from '@platter/command/call';
import type { Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { hold, list } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import { checkpointName, marksOf, spentMarks, strayMarks } from './checkpoint.ts';
import type { Tracking, Wish } from './engine.ts';
import { diskPaths, isTemporary } from './layout.ts';
import { type Origin, openOrigin } from './origin.ts';
import type { Prepared } from './preparing.ts';
import { addBitmap, removeBitmap } from './qemu-bitmap.ts';
import type { VmFacts } from './repository.ts';

const unwritable = ['EACCES', 'EPERM', 'EROFS'];

/** Whether a file could be written; nothing is. */
async function isWritable(host: Host, path: string): Promise<boolean> {
  try {
    (await host.query(hold(path, { write: true }))).close();
    return true;
  } catch (error) {
    if (unwritable.includes(errno(error) ?? '')) return false;
    throw error;
  }
}

/** What a source can mark by itself; one that is not to be marked is not even tried. */
export async function trackingOf(
  host: Host,
  { engine }: Pick<Wish, 'engine'>,
  { origin, repo }: { origin: Origin; repo: string },
): Promise<Tracking> {
  const marks = marksOf(origin.bitmaps, repo);
  const wanted = engine === 'bitmap' || (engine === 'auto' && marks.length > 0);
  const barred = (bar: string): Tracking => ({ bar, marks });
  if (!wanted) return barred('nobody asked for bitmaps');
  if (origin.format === 'raw') return barred(`${origin.path} is no qcow2 image`);
  if (origin.stack?.links[0]?.layer.header.version === 2) return barred(`${origin.path} is version 2, which has none`);
  return (await isWritable(host, origin.path)) ? { bar: null, marks } : barred(`${origin.path} cannot be written`);
}

/** The same source opened again: what it is after its bitmaps were changed. */
async function reopened(host: Host, before: Origin): Promise<Origin> {
  before.held.close();
  const now = await openOrigin(host, before.path, before.format);
  const isSame = now.held.ino === before.held.ino && now.held.dev === before.held.dev && now.size === before.size;
  if (isSame) return now;
  throw new Failure('busy', `${before.path} was replaced or resized meanwhile`, { hint: 'try again' });
}

/** Whether a point is there, also where the run that made it failed later. */
export async function isPublished(host: Host, { paths }: VmFacts, { disk, id }: { disk: string; id: string }) {
  const entries = (await host.query(list(diskPaths(paths, disk).points))) ?? [];
  return entries.some(({ name }) => !isTemporary(name) && name.endsWith(`-${id}.json`));
}

/**
 * Spec 3.2, step 2: takes away bitmaps that no point was published for, starts that of the new one, and lets `work`
 * read the source as it is then. When that fails and there is no new point, the new bitmap is taken away again.
 */
export async function tracked<T>(
  host: Host,
  { prepared, facts, id }: { prepared: Prepared; facts: VmFacts; id: string },
  work: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  const { origin, decision, tracking, wish } = prepared;
  if (tracking.bar !== null) return work(prepared);
  const strays = strayMarks(tracking.marks, facts, wish.disk);
  for (const { name } of strays) await removeBitmap(host, origin.path, name);
  if (strays.length === 0 && !decision.tracks) return work(prepared);
  const undo = new Undo();
  return undo.guard(async () => {
    const name = checkpointName(facts.repo.id, id);
    if (decision.tracks) await addBitmap(host, origin.path, name);
    if (decision.tracks)
      undo.add(`remove the bitmap ${name}`, async () => {
        if (!(await isPublished(host, facts, { disk: wish.disk, id }))) await removeBitmap(host, origin.path, name);
      });
    return work(host.dry ? prepared : { ...prepared, origin: await reopened(host, origin) });
  });
}

/** Spec 3.2, step 9: takes bitmaps away that no later capture goes by. One that stays harms nothing. */
export async function rotate(
  call: Call<unknown>,
  { source, names, remove }: { source: string; names: readonly string[]; remove: (name: string) => Promise<unknown> },
): Promise<void> {
  for (const name of names) {
    try {
      await remove(name);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      call.warn(`${source}: the bitmap ${name} stays, and the next capture removes it: ${error.message}`);
    }
  }
}

/** The same for the bitmaps of an image. */
export async function rotateImage(
  call: Call<unknown>,
  { origin, decision, tracking, wish }: Prepared,
  { facts, id, isNew }: { facts: VmFacts; id: string; isNew: boolean },
): Promise<void> {
  if (!decision.tracks) return;
  const strays = strayMarks(tracking.marks, facts, wish.disk);
  const marks = tracking.marks.filter((mark) => !strays.includes(mark));
  const names = spentMarks(marks, { repo: facts.repo.id, base: decision.base, id, isNew });
  await rotate(call, { source: origin.path, names, remove: (name) => removeBitmap(call.host, origin.path, name) });
}
