import { Failure } from '@platter/host/failure';
import { activate } from './activate.ts';
import { members, settle } from './commit.ts';
import { writeSidecar } from './create.ts';
import { attachGroup, checkGroup } from './group.ts';
import type { Image } from './images.ts';
import type { Seen } from './report.ts';
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

/**
 * Serves a group: its images on loops, and its logical volumes active unless `still`. One bad image keeps the others
 * up. Gives what is still so at the end.
 */
export async function attachOne(session: Session, asleep: Group, still: boolean): Promise<Partial<Seen>> {
  const obscure = obscured(asleep);
  const refusal = unfinished(asleep) ?? (asleep.images.length === 0 ? obscure : null);
  if (refusal !== null) throw refusal;
  const group = await woken(session, asleep);
  const served = await attachGroup(session, group);
  const failure = obscure ?? served.failures[0];
  if (failure !== undefined) throw failure;
  await checkGroup(session, group, served);
  const { vg, scope, facts } = served;
  if (vg === 'unread') return {};
  if (vg === null) throw unmade(group);
  await ensurePrivate(session, scope.directory);
  await settle(session, members(group.images, facts, vg), { vgUuid: vg.uuid, activate: null, directIO: null });
  const before = session.deeds.length;
  if (!still && group.images.every(({ sidecar }) => sidecar.activate))
    await activate(session, scope, { vg, lvs: facts.lvs });
  if (session.deeds.length > before) return {};
  return { facts, ...(before === 0 ? { group } : {}) };
}

/** A group that was to stay down is named: from now on it comes up by itself again. */
async function woken(session: Session, group: Group): Promise<Group> {
  const images: Image[] = [];
  for (const image of group.images) {
    const sidecar = { ...image.sidecar, autoAttach: true };
    const deed = { step: 'sidecar', object: sidecar.file, reason: 'it is to come up by itself again' };
    if (!image.sidecar.autoAttach) await writeSidecar(session, deed, { path: image.path, sidecar });
    images.push({ ...image, sidecar });
  }
  return { ...group, images };
}

const unmade = ({ name }: Group) =>
  new Failure('refused', `the group ${name} was never completed: its VG is not there`, {
    hint: `the same lvm-loop apply again, or lvm-loop remove ${name} --confirm=${name}`,
  });
