import { sync, remove as unlink } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { lookAt } from './family.ts';
import { locked } from './lock.ts';
import { around, volumeNames } from './machine.ts';
import { roleOf } from './name.ts';
import { glancing, type Pool } from './pool.ts';
import { noteNumber } from './prune.ts';
import type { RemovalRecord } from './records/cycle.ts';
import { type Reference, revisionOf } from './reference.ts';
import { removeFamily } from './removal.ts';
import { put } from './steps.ts';
import { heldBy } from './stopping.ts';
import { exists, type Revision, type Volume } from './volume.ts';

/** What goes: a whole volume, or the revision that `reference` means. `ref` is how the person called it. */
export interface Target {
  ref: string;
  reference: Reference;
  whole: boolean;
}

/** The record of a removal. */
export const removalOf = (ref: string, outcome: RemovalRecord['outcome']): RemovalRecord => ({
  apiVersion: 'platter.dev/v1',
  kind: 'Removal',
  metadata: { name: ref },
  ref,
  outcome,
});

/** Removes under the volume's lock; what is not there is `already` for a volume and refused for a revision. */
export function remove(pool: Pool, { ref, reference, whole }: Target, confirmed: boolean): Promise<RemovalRecord> {
  return locked(pool, reference.volume, async (volume) => {
    if (!exists(volume)) {
      if (volume.sidecar === 'stored') await removeFamily(pool, volume);
      return removalOf(ref, 'already');
    }
    const revision = whole ? null : revisionOf(volume, reference.target);
    if (!whole && revision === null)
      throw new Failure('refused', `will not remove the head of ${volume.name}`, { hint: `remove ${volume.name}` });
    if (revision === null) await refuseVolume(pool, volume);
    else refusePinned(volume.name, [revision]);
    if (!confirmed)
      throw new Failure('refused', `will not remove ${ref} without its name said again`, { hint: `--confirm=${ref}` });
    await (revision === null ? removeVolume(pool, volume) : removeRevision(pool, volume, revision));
    return removalOf(ref, 'removed');
  });
}

async function refuseVolume(pool: Pool, volume: Volume): Promise<void> {
  const { holders, headHolders } = await around(pool, volume, true);
  const using = [...holders, ...headHolders];
  if (using.length > 0) throw heldBy(volume.name, 'remove', using);
  const once = glancing(pool);
  const names = (await volumeNames(once)).filter((name) => name !== volume.name);
  const others = await Promise.all(names.map((name) => lookAt(once, name)));
  const consumers = others.filter(({ file }) => file.source === volume.name).map(({ name }) => name);
  if (consumers.length > 0)
    throw new Failure('refused', `will not remove ${volume.name}: it is the source of other volumes`, {
      details: { by: consumers.join(', ') },
      hint: `reflink-pool remove ${consumers[0]} first`,
    });
  refusePinned(volume.name, volume.revisions);
}

/** Refuses the removal of what somebody has pinned, and names him. */
export function refusePinned(name: string, revisions: readonly Revision[]): void {
  const pinned = revisions.filter(({ facts }) => facts !== null && facts.pins.length > 0);
  if (pinned.length === 0) return;
  throw new Failure('refused', `will not remove what is pinned`, {
    details: { by: pinned.map(({ number, facts }) => `${name}@${number} by ${facts?.pins.join(', ')}`).join('\n') },
    hint: 'release the pins first',
  });
}

async function removeVolume(pool: Pool, volume: Volume): Promise<void> {
  await put(pool, volume, { removing: true, why: `${volume.name} goes, all of it` });
  await removeFamily(pool, volume);
  await nameForeign(pool, volume);
}

/** What lies among the volume's files and is none of ours stays, and is named. */
async function nameForeign(pool: Pool, { dir, base }: Volume): Promise<void> {
  const alike = (name: string) => name.startsWith(`${base}.img`) || name.startsWith(`${base}-cow.img`);
  const left = ((await pool.host.query(list(dir))) ?? []).filter(
    ({ name }) => alike(name) || roleOf(base, name) !== null,
  );
  for (const { name } of left) if (!pool.host.dry) pool.call.note(`${dir}/${name} is not ours and stays`);
}

async function removeRevision(pool: Pool, volume: Volume, { path, number }: Revision): Promise<void> {
  const top = volume.revisions.at(-1)?.number;
  if (number === top) await noteNumber(pool, volume, number);
  await pool.host.change(because(unlink(path), `${volume.name}@${number} goes`));
  await pool.host.change(sync(volume.dir));
}
