import type { Failure } from '@platter/host/failure';
import { deactivate } from './activate.ts';
import { writeSidecar } from './create.ts';
import type { Image } from './images.ts';
import { detach, servedBy } from './loops.ts';
import { scopeOf } from './serve.ts';
import type { Session } from './session.ts';
import { unfinished } from './situation.ts';
import { stateOf } from './state.ts';
import type { Group } from './survey.ts';
import { readVg, vgOfGroup } from './vg.ts';

/** Takes a group down: volumes inactive, loops gone. What is wrong with an image does not keep its loops. */
export async function detachOne(session: Session, group: Group, stayDown: boolean): Promise<void> {
  const refusal = group.unknown[0]?.failure ?? unfinished(group);
  if (refusal !== null) throw refusal;
  if (stayDown) await sleep(session, group);
  const kept = group.images.filter((image) => onlyCopy(image) !== null);
  const going = group.images.filter((image) => image.loops.length > 0 && !kept.includes(image));
  await quiet(session, going);
  for (const image of going) {
    const deed = { step: 'detach', object: image.sidecar.file, reason: 'the group is to go down' };
    await detach(session, deed, servedBy(image));
  }
  const failure = kept.map(onlyCopy)[0] ?? group.unreadable[0]?.failure;
  if (failure) throw failure;
}

/** A loop whose file was deleted holds the only copy of it. */
function onlyCopy(image: Image): Failure | null {
  const state = stateOf(image);
  return state.is === 'wrong' && state.row === 4 ? state.failure : null;
}

/** No logical volume on these loops is active any more. Without device-mapper none ever was. */
async function quiet(session: Session, images: readonly Image[]): Promise<void> {
  const devices = images.flatMap(({ loops }) => loops.map(({ name }) => name));
  if (!session.lvm.dm || devices.length === 0) return;
  const scope = scopeOf(images, devices);
  const facts = await readVg(session, scope);
  const vg = vgOfGroup(images, facts);
  if (vg !== null) await deactivate(session, scope, { vg, lvs: facts.lvs });
}

async function sleep(session: Session, { images }: Group): Promise<void> {
  for (const { path, sidecar } of images.filter((image) => image.sidecar.autoAttach)) {
    const deed = { step: 'sidecar', object: sidecar.file, reason: 'it is to stay down' };
    await writeSidecar(session, deed, { path, sidecar: { ...sidecar, autoAttach: false } });
  }
}
