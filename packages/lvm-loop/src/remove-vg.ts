import { Failure } from '@platter/host/failure';
import { deactivate } from './activate.ts';
import { mark } from './farewell.ts';
import type { Served } from './group.ts';
import type { Image } from './images.ts';
import { lvm, type Scope } from './lvm.ts';
import type { Session } from './session.ts';
import { prove } from './steps.ts';
import { readVg } from './vg.ts';

export interface Volumes {
  images: readonly Image[];
  served: Served;
  withVolumes: boolean;
}

/** The VG goes, with its volumes when that was said. What stays is served as before: the sidecars say so again. */
export async function removeVg(session: Session, { images, served, withVolumes }: Volumes): Promise<void> {
  const { scope, vg } = served;
  if (vg === null) return;
  const uuid = vg === 'unread' ? (images[0]?.sidecar.vgUuid ?? '') : vg.uuid;
  try {
    if (withVolumes) await removeVolumes(session, served, uuid);
    const deed = { step: 'vgremove', object: images[0]?.sidecar.vgName ?? '', reason: 'it is to go, and is empty' };
    const words = ['vgremove', '-S', `vg_uuid=${uuid} && lv_count=0`];
    await prove(session, { deed, program: lvm(session.lvm, scope, words) }, () => absence(session, scope, uuid));
  } catch (error) {
    if (error instanceof Failure && (await absence(session, scope, uuid)) !== null)
      await mark(session, again(images), 'ready');
    throw error;
  }
}

/** As the sidecars are since the removal began. */
const again = (images: readonly Image[]): Image[] =>
  images.map((image) => ({ ...image, sidecar: { ...image.sidecar, phase: 'removing' } }));

async function absence(session: Session, scope: Scope, uuid: string): Promise<string | null> {
  const { vgs } = await readVg(session, scope);
  return vgs.some((vg) => vg.uuid === uuid) ? 'the VG is still there' : null;
}

async function removeVolumes(session: Session, { scope, vg, facts }: Served, uuid: string): Promise<void> {
  if (vg === null || vg === 'unread' || facts.lvs.length === 0) return;
  if (session.lvm.dm) await deactivate(session, scope, { vg, lvs: facts.lvs });
  const deed = { step: 'lvremove', object: vg.name, reason: `${vg.lvs} volumes are to go with it` };
  await prove(
    session,
    { deed, program: lvm(session.lvm, scope, ['lvremove', '-y', '-S', `vg_uuid=${uuid}`]) },
    async () => {
      const { lvs } = await readVg(session, scope);
      return lvs.length === 0 ? null : `${lvs.length} volumes are still there`;
    },
  );
}
