import { Failure, Interrupted } from '@platter/host/failure';
import { activate, type Volumes } from './activate.ts';
import { members, settle } from './commit.ts';
import type { Served } from './group.ts';
import type { Scope } from './lvm.ts';
import { scopeOf } from './serve.ts';
import type { Session } from './session.ts';
import type { Sidecar } from './sidecar.ts';
import type { GroupSpec } from './spec.ts';
import { growThinPools } from './thin.ts';
import { readVg, type VgFacts, vgOfGroup } from './vg.ts';

export interface Ending {
  served: Served;
  /** All images of the group with what their sidecars say now. */
  images: readonly { path: string; sidecar: Sidecar }[];
  devices: readonly string[];
}

/** What forbade the activation, and what LVM saw when nothing has changed since. */
interface Finished {
  failure: Failure | null;
  facts?: VgFacts;
}

/** After the VG is as wanted: sidecars, thin pools, activation. What forbids the last is given back, not thrown. */
export async function finish(session: Session, spec: GroupSpec, ending: Ending): Promise<Finished> {
  const { images, devices, served } = ending;
  if (session.host.dry) return rehearsed(session, spec, ending);
  const scope = scopeOf(images, devices);
  const facts = session.deeds.length === 0 ? served.facts : await readVg(session, scope);
  const vg = vgOfGroup(images, facts);
  if (vg === null) return { failure: null };
  await settle(session, members(images, facts, vg), { ...spec, vgUuid: vg.uuid });
  const before = session.deeds.length;
  await growThinPools(session, scope, { vg, lvs: facts.lvs, pools: spec.thinPools });
  const active = spec.activate ?? images.every(({ sidecar }) => sidecar.activate);
  const failure = active ? await activated(session, scope, { vg, lvs: facts.lvs }) : null;
  return { failure, ...(session.deeds.length === before ? { facts } : {}) };
}

async function activated(session: Session, scope: Scope, volumes: Volumes): Promise<Failure | null> {
  try {
    await activate(session, scope, volumes);
    return null;
  } catch (error) {
    if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
    return error;
  }
}

/** Before the VG is there its UUID is not known. */
async function rehearsed(session: Session, spec: GroupSpec, { images }: Ending): Promise<Finished> {
  await settle(session, images, { ...spec, vgUuid: null });
  return { failure: null };
}
