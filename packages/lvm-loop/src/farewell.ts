import { dirname } from 'node:path';
import { remove, sync } from '@platter/host/changes';
import type { Change } from '@platter/host/door';
import { lstat, run } from '@platter/host/looks';
import { writeSidecar } from './create.ts';
import { type Image, labelAt } from './images.ts';
import { detach, servedBy } from './loops.ts';
import { lvm } from './lvm.ts';
import { creatingPath, sidecarPath } from './names.ts';
import { scopeOf } from './serve.ts';
import type { Session } from './session.ts';
import type { Sidecar } from './sidecar.ts';
import { isRecorded } from './state.ts';
import { isToCome, make, prove } from './steps.ts';

/** Writes down how far the removal of images has come, the first one first: that is its point of no return. */
export async function mark(session: Session, images: readonly Image[], phase: Sidecar['phase']): Promise<void> {
  for (const { path, sidecar } of images.filter((image) => image.sidecar.phase !== phase)) {
    const reason = phase === 'ready' ? 'it could not be removed' : 'from here on it is being removed';
    const deed = { step: 'sidecar', object: sidecar.file, reason };
    await writeSidecar(session, deed, { path, sidecar: { ...sidecar, phase } });
  }
}

/** Wipes the labels of PVs that are in no VG any more. */
export async function unlabel(
  session: Session,
  images: readonly Image[],
  devices: ReadonlyMap<string, string>,
): Promise<void> {
  for (const { path, sidecar } of images) {
    const device = devices.get(path);
    if (device === undefined) continue;
    const deed = { step: 'pvremove', object: sidecar.file, reason: 'it is in no VG any more' };
    const program = lvm(session.lvm, scopeOf([{ path }], [device]), ['pvremove', device]);
    const proof = async () =>
      typeof (await labelAt(session.host, path)) === 'string' ? null : 'its label is still there';
    await prove(session, { deed, program }, proof);
  }
}

/** The loops of an image go; `device`: the one it was attached to, which a dry run cannot find. */
export async function release(session: Session, image: Image, device?: string): Promise<void> {
  const deed = { step: 'detach', object: image.sidecar.file, reason: 'nothing is on it any more' };
  if (device !== undefined && isToCome(device)) return make(session, deed, [run('losetup', ['-d', device])]);
  await detach(session, deed, servedBy(image));
}

/** The image goes when it is still the recorded file; somebody's new file under its name stays. */
export async function unlink(session: Session, image: Image): Promise<void> {
  const { path, sidecar } = image;
  const deed = { step: 'unlink', object: path, reason: 'it serves nothing any more' };
  const changes: Change[] = [];
  if (await isOurs(session, image)) changes.push(remove(path));
  if ((await session.host.query(lstat(creatingPath(path))))?.ino === BigInt(sidecar.ino))
    changes.push(remove(creatingPath(path)));
  if (changes.length > 0) await make(session, deed, [...changes, sync(dirname(path))]);
}

async function isOurs({ host }: Session, image: Image): Promise<boolean> {
  return isRecorded({ ...image, file: await host.query(lstat(image.path)) });
}

/** The sidecar is the last to go. */
export async function forget(session: Session, { path }: Image): Promise<void> {
  const deed = { step: 'forget', object: sidecarPath(path), reason: 'its image is gone' };
  await make(session, deed, [remove(sidecarPath(path)), sync(dirname(path))]);
}

/** LVM's archive and backup of groups that are gone. */
export async function forgetPrivate(session: Session, directory: string): Promise<void> {
  if ((await session.host.query(lstat(directory)))?.kind !== 'dir') return;
  const deed = { step: 'rmdir', object: directory, reason: 'it serves no other group' };
  const gone = async () =>
    (await session.host.query(lstat(directory))) === null ? null : `${directory} is still there`;
  await prove(session, { deed, program: run('rm', ['-r', '--', directory]) }, gone);
}
