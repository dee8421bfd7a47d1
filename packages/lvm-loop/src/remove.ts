import { Failure } from '@platter/host/failure';
import { forget, forgetPrivate, mark, release, unlabel, unlink } from './farewell.ts';
import { attachGroup, type Served } from './group.ts';
import { type Image, privateDirectory } from './images.ts';
import type { Removed } from './records.ts';
import { removeVg } from './remove-vg.ts';
import type { Session } from './session.ts';
import { groupPhase, obscured } from './situation.ts';
import { stateOf } from './state.ts';
import { type Found, type Group, groupNames } from './survey.ts';
import { groupFault } from './vg.ts';

export interface Removal {
  group: Group;
  /** Also what its logical volumes hold. */
  withVolumes: boolean;
  /** All sidecars of the roots. */
  found: readonly Found[];
}

/** Removes a group with its files; what a crashed removal left is finished. */
export async function removeGroup(session: Session, removal: Removal): Promise<Removed> {
  const { group, withVolumes, found } = removal;
  const { images } = group;
  const obscure = obscured(group);
  if (obscure !== null) throw obscure;
  const way = wayOf(images, withVolumes);
  if (way instanceof Failure) throw way;
  const record = recordOf(group.name, images);
  const served = way === 'files' ? null : await attachGroup(session, { ...group, images: images.filter(sound) });
  if (served !== null) await checkVolumes(removal, served);
  await mark(session, images, 'removing');
  if (served !== null) await removeVg(session, { images, served, withVolumes });
  if (served !== null) await unlabel(session, images, served.devices);
  for (const image of images) await release(session, image, served?.devices.get(image.path));
  for (const image of images) await unlink(session, image);
  await forgetAll(session, images, found);
  return record;
}

/**
 * `whole`: what is in LVM goes first. `files`: nothing of LVM's can be on them or is to be looked at. Otherwise the
 * refusal. Images that are all gone without a loop leave only their sidecars.
 */
export function wayOf(images: readonly Image[], withVolumes: boolean): 'whole' | 'files' | Failure {
  if (images.every(vanished)) return 'files';
  const phase = groupPhase(images);
  const states = images.map((image) => ({ image, state: stateOf(image) }));
  const damaged = states.filter(
    ({ state, image }) => state.is === 'wrong' && [7, 8].includes(state.row) && image.loops.length === 0,
  );
  for (const { image, state } of states) {
    if (state.is !== 'wrong' || (withVolumes && damaged.some((one) => one.image === image))) continue;
    if (state.row === 6 && phase === 'removing') continue;
    return state.row === 5 ? absent(image, state.failure) : state.failure;
  }
  const born = images.some(({ label }) => typeof label !== 'string');
  return damaged.length > 0 || phase === 'cloning' || !born ? 'files' : 'whole';
}

const sound = (image: Image) => stateOf(image).is !== 'wrong';
const vanished = ({ file, temp, loops }: Image) => file === null && temp === null && loops.length === 0;

function absent({ sidecar }: Image, { message }: Failure): Failure {
  const { vgName, group, file } = sidecar;
  return new Failure('corrupt', message, {
    hint: `restore it; or give it up: lvm vgreduce --removemissing ${vgName} scoped to the other loops, then lvm-loop remove ${group}/${file} --confirm=${group}/${file}`,
  });
}

/** Refuses a VG that is not whole and ours, or that holds what nobody said may go. */
async function checkVolumes({ group, withVolumes }: Removal, { facts, vg, failures }: Served): Promise<void> {
  const refusal = failures[0] ?? groupFault(group.images, facts);
  if (refusal !== null && refusal !== undefined) throw refusal;
  const ready = group.images.some(({ sidecar }) => sidecar.phase === 'ready');
  if (vg === null && ready && !withVolumes)
    throw new Failure('corrupt', `the VG of ${group.name} is gone, though its PVs are there`, {
      hint: 'vgcfgrestore it, or --with-volumes to give up what it held',
    });
  const volumes = facts.lvs.filter(({ hidden }) => !hidden).map(({ name }) => name);
  if (volumes.length === 0 || withVolumes) return;
  throw new Failure('refused', `will not remove ${group.name}: it has logical volumes`, {
    details: { volumes: volumes.join(', ') },
    hint: '--with-volumes to remove them too, with all they hold',
  });
}

/** The sidecars go last, and before the last one LVM's own files that no group has its own among any more. */
export async function forgetAll(session: Session, images: readonly Image[], found: readonly Found[]): Promise<void> {
  for (const image of images.slice(0, -1)) await forget(session, image);
  const gone = images.map(({ path }) => path);
  for (const directory of orphaned(found, gone)) await forgetPrivate(session, directory);
  for (const image of images.slice(-1)) await forget(session, image);
}

/** Private directories that serve a group now, and none once these images are gone. */
export function orphaned(found: readonly Found[], gone: readonly string[]): string[] {
  const left = new Set(directoriesOf(found.filter(({ image }) => !gone.includes(image))));
  return directoriesOf(found).filter((directory) => !left.has(directory));
}

const directoriesOf = (found: readonly Found[]): string[] =>
  groupNames(found).map((name) => privateDirectory(found.flatMap(({ group, image }) => (group === name ? image : []))));

export function recordOf(name: string, images: readonly Image[]): Removed {
  return {
    apiVersion: 'platter.dev/v1',
    kind: 'Removed',
    metadata: { name },
    images: images.map(({ path }) => path),
    vgUuid: images[0]?.sidecar.vgUuid ?? null,
    bytesFreed: images.reduce((sum, { file, temp }) => sum + ((file ?? temp)?.allocated ?? 0), 0),
  };
}
