import { Failure, Interrupted } from '@platter/host/failure';
import { activate } from './activate.ts';
import { members, settle } from './commit.ts';
import type { Served } from './group.ts';
import { scopeOf } from './serve.ts';
import type { Session } from './session.ts';
import type { Sidecar } from './sidecar.ts';
import type { GroupSpec } from './spec.ts';
import { growThinPools } from './thin.ts';
import { readVg, vgOfGroup } from './vg.ts';

export interface Ending {
  served: Served;
  /** All images of the group with what their sidecars say now. */
  images: readonly { path: string; sidecar: Sidecar }[];
  devices: readonly string[];
}

/** After the VG is as wanted: sidecars, thin pools, activation. What forbids the last is given back, not thrown. */
export async function finish(session: Session, spec: GroupSpec, ending: Ending): Promise<Failure | null> {
  const { images, devices, served } = ending;
  if (session.host.dry) return rehearsed(session, spec, ending);
  const scope = scopeOf(images, devices);
  const facts = session.deeds.length === 0 ? served.facts : await readVg(session, scope);
  const vg = vgOfGroup(images, facts);
  if (vg === null) return null;
  await settle(session, members(images, facts, vg), { ...spec, vgUuid: vg.uuid });
  await growThinPools(session, scope, { vg, lvs: facts.lvs, pools: spec.thinPools });
  if (!(spec.activate ?? images.every(({ sidecar }) => sidecar.activate))) return null;
  try {
    await activate(session, scope, { vg, lvs: facts.lvs });
    return null;
  } catch (error) {
    if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
    return error;
  }
}

/** Before the VG is there its UUID is not known. */
async function rehearsed(session: Session, spec: GroupSpec, { images }: Ending): Promise<null> {
  await settle(session, images, { ...spec, vgUuid: null });
  return null;
}
