import { dirname } from 'node:path';
import { remove, sync } from '@platter/host/changes';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import { detach, servedBy, serving } from './loops.ts';
import { creatingPath, sidecarPath } from './names.ts';
import type { Session } from './session.ts';
import { readPvs } from './vg.ts';
import { deviceOf, type Work } from './work.ts';

/** Takes back an image that this run made, unless a loop still serves it. */
export async function forget(session: Session, { path, dev, sidecar }: Work): Promise<void> {
  const { host } = session;
  if (await serving(session, servedBy({ path, dev, sidecar }))) throw new Failure('busy', 'a loop still serves it');
  for (const name of [path, creatingPath(path)])
    if ((await host.query(lstat(name)))?.ino === BigInt(sidecar.ino)) await host.change(remove(name));
  await host.change(remove(sidecarPath(path)));
  await host.change(sync(dirname(path)));
}

/** Takes the loop back, when LVM confirms that what is on it is in no VG. */
export async function unserve(session: Session, work: Work): Promise<void> {
  const device = deviceOf(work);
  const pvs = await readPvs(session, { devices: [device], directory: work.directory });
  const pv = pvs.find(({ name }) => name === device);
  if (pv === undefined || pv.vgName !== '') throw new Failure('refused', 'it is in a VG');
  if (pv.uuid !== '' && pv.uuid !== work.sidecar.pvUuid) throw new Failure('refused', 'it is another PV');
  await detach(session, { step: 'detach', object: device, reason: 'what followed failed' }, servedBy(work));
  work.device = null;
}
