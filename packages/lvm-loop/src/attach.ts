import { Failure } from '@platter/host/failure';
import { activate } from './activate.ts';
import { members, settle } from './commit.ts';
import { writeSidecar } from './create.ts';
import { attachGroup, checkGroup } from './group.ts';
import { ensurePrivate } from './serve.ts';
import type { Session } from './session.ts';
import { groupPhase, obscured, unfinished } from './situation.ts';
import type { Group } from './survey.ts';

/** What a sweep leaves alone, and why; null when it takes the group. */
export function leftOut({ images }: Group): string | null {
  const phase = groupPhase(images);
  if (phase === 'removing' || phase === 'cloning') return `it is ${phase}`;
  if (phase === 'creating' && images.every(({ label }) => typeof label === 'string')) return 'it was never completed';
  return images.some(({ sidecar }) => !sidecar.autoAttach) ? 'it is to stay down' : null;
}

/** Serves a group: its images on loops, and its logical volumes active unless `still`. One bad image keeps the others up. */
export async function attachOne(session: Session, group: Group, still: boolean): Promise<void> {
  const obscure = obscured(group);
  const refusal = unfinished(group) ?? (group.images.length === 0 ? obscure : null);
  if (refusal !== null) throw refusal;
  await wake(session, group);
  const served = await attachGroup(session, group);
  const failure = obscure ?? served.failures[0];
  if (failure !== undefined) throw failure;
  await checkGroup(session, group, served);
  const { vg, scope, facts } = served;
  if (vg === 'unread') return;
  if (vg === null) throw unmade(group);
  await ensurePrivate(session, scope.directory);
  await settle(session, members(group.images, facts, vg), { vgUuid: vg.uuid, activate: null, directIO: null });
  if (still || !group.images.every(({ sidecar }) => sidecar.activate)) return;
  await activate(session, scope, { vg, lvs: facts.lvs });
}

/** A group that was to stay down is named: from now on it comes up by itself again. */
async function wake(session: Session, { images }: Group): Promise<void> {
  for (const { path, sidecar } of images.filter((image) => !image.sidecar.autoAttach)) {
    const deed = { step: 'sidecar', object: sidecar.file, reason: 'it is to come up by itself again' };
    await writeSidecar(session, deed, { path, sidecar: { ...sidecar, autoAttach: true } });
  }
}

const unmade = ({ name }: Group) =>
  new Failure('refused', `the group ${name} was never completed: its VG is not there`, {
    hint: `the same lvm-loop apply again, or lvm-loop remove ${name} --confirm=${name}`,
  });
