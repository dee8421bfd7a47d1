import { Failure } from '@platter/host/failure';
import { mark, release, unlabel, unlink } from './farewell.ts';
import { attachGroup, checkGroup, type Served } from './group.ts';
import type { Image } from './images.ts';
import { lvm } from './lvm.ts';
import type { Removed } from './records.ts';
import { forgetAll, type Removal, recordOf } from './remove.ts';
import type { Pv } from './reports.ts';
import type { Session } from './session.ts';
import { obscured, unfinished } from './situation.ts';
import { stateOf } from './state.ts';
import { prove } from './steps.ts';
import type { Group } from './survey.ts';
import { readPvs } from './vg.ts';

/** Removes one file of a group, whose PV must be empty; null when it is gone already. */
export async function removeFile(session: Session, { group, found }: Removal, file: string): Promise<Removed | null> {
  const refusal = obscured(group) ?? unfinished(group);
  if (refusal !== null) throw refusal;
  const image = group.images.find(({ sidecar }) => sidecar.file === file);
  if (image === undefined) return null;
  if (group.images.length === 1) throw last(group.name, file);
  checkOthers(group.images, image);
  const served = await attachGroup(session, rest(group, image));
  if (served.failures[0] !== undefined) throw served.failures[0];
  await takeOut(session, { group, image, served });
  await release(session, image, served.devices.get(image.path));
  await unlink(session, image);
  await forgetAll(session, [image], found);
  return recordOf(`${group.name}/${file}`, [image]);
}

const last = (name: string, file: string) =>
  new Failure('refused', `will not remove ${name}/${file}: it is the last file of the group`, {
    hint: `lvm-loop remove ${name} --confirm=${name}`,
  });

/** An image that is gone needs no loop; the others are attached without it. */
const rest = (group: Group, image: Image): Group => ({
  ...group,
  images: group.images.filter((one) => one !== image || one.file !== null),
});

function checkOthers(images: readonly Image[], image: Image): void {
  for (const one of images) {
    const state = stateOf(one);
    const gone = one === image && state.is === 'wrong' && state.row === 5;
    if (state.is === 'wrong' && !gone) throw state.failure;
  }
}

interface Leaving {
  group: Group;
  image: Image;
  served: Served;
}

/** The PV leaves the VG and loses its label; one that is in no VG any more only loses its label. */
async function takeOut(session: Session, { group, image, served }: Leaving): Promise<void> {
  const { facts, vg } = served;
  const pv = facts.pvs.find(({ uuid }) => uuid === image.sidecar.pvUuid);
  const device = served.devices.get(image.path);
  const member = vg === 'unread' || (pv !== undefined && vg !== null && pv.vgUuid === vg.uuid);
  checkThere(image, pv);
  if (member) await checkGroup(session, group, served);
  if (member && vg !== 'unread' && vg?.pvs === 1) throw last(group.name, image.sidecar.file);
  if (member && pv !== undefined) checkEmpty(image, pv);
  await mark(session, [image], 'leaving');
  if (member && device !== undefined) await reduce(session, { group, image, served });
  await unlabel(session, [image], served.devices);
}

function checkEmpty({ sidecar }: Image, { allocated, name }: Pv): void {
  const { group, file } = sidecar;
  if (allocated === 0) return;
  throw new Failure('refused', `will not remove ${group}/${file}: ${allocated} of its extents are in use`, {
    hint: `lvm pvmove ${name}, scoped to the loops of the group, frees them`,
  });
}

function checkThere({ sidecar }: Image, pv: Pv | undefined): void {
  if (!pv?.missing) return;
  const { group, file, vgName } = sidecar;
  throw new Failure('corrupt', `${group}/${file} is missing, and its PV is still in ${vgName}`, {
    hint: `restore it, or lvm vgreduce --removemissing ${vgName} scoped to the other loops`,
  });
}

async function reduce(session: Session, { image, served }: Leaving): Promise<void> {
  const { sidecar, path } = image;
  const { scope } = served;
  const device = served.devices.get(path) as string;
  const deed = { step: 'vgreduce', object: sidecar.file, reason: 'its PV is empty' };
  const program = lvm(session.lvm, scope, ['vgreduce', '--', sidecar.vgName, device]);
  const outside = async () => {
    const pvs = await readPvs(session, scope);
    return pvs.find(({ name }) => name === device)?.vgName === '' ? null : 'its PV is still in the VG';
  };
  await prove(session, { deed, program }, outside).catch(async (error) => {
    if (error instanceof Failure && (await outside()) !== null)
      await mark(session, [{ ...image, sidecar: { ...sidecar, phase: 'leaving' } }], 'ready');
    throw error;
  });
}
