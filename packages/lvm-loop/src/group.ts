import { Failure } from '@platter/host/failure';
import type { Image } from './images.ts';
import type { Scope } from './lvm.ts';
import type { Vg } from './reports.ts';
import { scopeOf, serve } from './serve.ts';
import type { Session } from './session.ts';
import { isToCome } from './steps.ts';
import type { Group } from './survey.ts';
import { groupFault, momentsFault, nothing, readMoments, readVg, type VgFacts, vgOfGroup } from './vg.ts';

/** A group whose images are on loops, and what LVM sees there. */
export interface Served {
  devices: ReadonlyMap<string, string>;
  scope: Scope;
  facts: VgFacts;
  /** `unread`: a dry run would attach first. */
  vg: Vg | 'unread' | null;
  failures: readonly Failure[];
}

/** What a group is before it has any image. */
export const alone: Served = {
  devices: new Map(),
  scope: { devices: [], directory: '' },
  facts: nothing,
  vg: null,
  failures: [],
};

/** Attaches the images of a group and reads what LVM sees on them; changes nothing of LVM's. */
export async function attachGroup(session: Session, group: Group): Promise<Served> {
  const { devices, failures } = await serve(session, group);
  const scope = scopeOf(group.images, [...devices.values()]);
  if (scope.devices.some(isToCome)) return { devices, scope, failures, facts: nothing, vg: 'unread' };
  const facts = await readVg(session, scope);
  return { devices, scope, failures, facts, vg: vgOfGroup(group.images, facts) };
}

/** Throws what forbids every LVM write and activation on this group. */
export async function checkGroup(session: Session, { images, name }: Group, served: Served): Promise<void> {
  const fault = groupFault(images, served.facts);
  if (fault !== null) throw fault;
  if (served.vg === 'unread') return;
  const { fault: mixed, notice } = momentsFault(name, await readMoments(session, joined(served)));
  if (mixed !== undefined) throw mixed;
  if (notice !== undefined) session.call.note(notice);
  if (served.vg === null && settled(images)) throw vgLost(name, images);
}

/** The part of a scope that is in the VG: what is on its way in tells no moment. */
function joined({ scope, facts }: Served): Scope {
  const inside = new Set(
    facts.pvs.filter(({ vgName, usedMdas }) => vgName !== '' && usedMdas > 0).map(({ name }) => name),
  );
  return { ...scope, devices: scope.devices.filter((device) => inside.has(device)) };
}

/** Some image was in the VG once. */
const settled = (images: readonly Image[]) =>
  images.some(({ sidecar, label }) => sidecar.phase === 'ready' && typeof label !== 'string');

function vgLost(name: string, images: readonly Image[]): Failure {
  const { directory } = scopeOf(images, []);
  const vgName = images[0]?.sidecar.vgName;
  return new Failure('corrupt', `the VG of ${name} is gone, though all its PVs are there`, {
    hint: `vgcfgrestore from ${directory}/archive/${vgName}_*.vg`,
  });
}
