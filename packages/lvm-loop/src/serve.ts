import { dirname } from 'node:path';
import { mkdir, sync } from '@platter/host/changes';
import { Failure, Interrupted } from '@platter/host/failure';
import { stat } from '@platter/host/looks';
import type { Loop } from '@platter/host/tools/losetup';
import { type Image, privateDirectory } from './images.ts';
import { attach, servedBy, setCapacity, setDirectIO } from './loops.ts';
import type { Scope } from './lvm.ts';
import type { Session } from './session.ts';
import { stateOf } from './state.ts';
import { make } from './steps.ts';
import type { Group } from './survey.ts';

/** A group's images on loops, by path, and what was wrong with the others. */
export interface Serving {
  devices: Map<string, string>;
  failures: Failure[];
}

/** Images that a crashed run left before they were a PV: only the run that makes them attaches them. */
const unborn = ({ sidecar, label }: Image) => sidecar.phase !== 'ready' && typeof label === 'string';

/** Attaches what of a group can be attached. One image that is wrong does not keep the others down. */
export async function serve(session: Session, { images }: Pick<Group, 'images'>): Promise<Serving> {
  const serving: Serving = { devices: new Map(), failures: [] };
  for (const image of images) {
    try {
      const device = await serveImage(session, image);
      if (device !== null) serving.devices.set(image.path, device);
    } catch (error) {
      if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
      serving.failures.push(error);
    }
  }
  return serving;
}

async function serveImage(session: Session, image: Image): Promise<string | null> {
  const state = stateOf(image);
  if (state.is === 'wrong') throw state.failure;
  if (state.is === 'unmade' || state.is === 'gone' || unborn(image)) return null;
  const served = servedBy(image);
  const deed = { step: 'attach', object: image.sidecar.file, reason: 'no loop serves it' };
  if (state.is === 'detached') {
    const device = await attach(session, deed, served);
    await pastTheCache(session, image, { name: device, directIO: false });
    return device;
  }
  const { loop, pending, short } = state;
  if (pending) await attach(session, { ...deed, reason: `${loop.name} goes with its last user` }, served);
  if (short) {
    const lag = { step: 'capacity', object: image.sidecar.file, reason: 'the loop is not as long as the image' };
    await setCapacity(session, lag, { device: loop.name, size: image.file?.size ?? 0 });
  }
  await pastTheCache(session, image, loop);
  return loop.name;
}

type Reached = Pick<Loop, 'name' | 'directIO'>;

/** Direct I/O, where the image wants it and nowhere else. */
async function pastTheCache(session: Session, image: Image, { name: device, directIO }: Reached): Promise<void> {
  const on = image.sidecar.directIO === 'auto';
  if (on === directIO) return;
  const reason = on ? 'writes go past the page cache' : 'writes go through the page cache';
  const deed = { step: 'direct-io', object: image.sidecar.file, reason };
  await setDirectIO(session, deed, { device, served: servedBy(image), on });
}

/** The scope of one group's LVM calls. */
export const scopeOf = (images: readonly { path: string }[], devices: readonly string[]): Scope => ({
  devices,
  directory: privateDirectory(images.map(({ path }) => path)),
});

/** LVM's archive and backup lie beside the data, in a directory of their own. */
export async function ensurePrivate(session: Session, directory: string): Promise<void> {
  if ((await session.host.query(stat(directory))) !== null) return;
  const deed = { step: 'mkdir', object: directory, reason: "for LVM's archive and backup of this group" };
  await make(session, deed, [mkdir(directory, 0o700), sync(dirname(directory))]);
}
