import { dirname } from 'node:path';
import { remove, sync } from '@platter/host/changes';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import { detach, loopsOn, servedBy } from './loops.ts';
import { creatingPath, sidecarPath } from './names.ts';
import type { Session } from './session.ts';
import { readPvs } from './vg.ts';
import type { Work } from './work.ts';

/** Takes back an image that this run made, unless a loop still serves it. */
export async function forget(session: Session, { path, dev, sidecar }: Work): Promise<void> {
  const { host } = session;
  const served = servedBy({ path, dev, sidecar });
  if ((await loopsOn(session, served)).length > 0) throw new Failure('busy', 'a loop still serves it');
  for (const name of [path, creatingPath(path)])
    if ((await host.query(lstat(name)))?.ino === BigInt(sidecar.ino)) await host.change(remove(name));
  await host.change(remove(sidecarPath(path)));
  await host.change(sync(dirname(path)));
}

/** Takes back a temporary that nothing was written into or about. */
export async function sweep({ host }: Session, path: string): Promise<void> {
  const temp = creatingPath(path);
  const found = await host.query(lstat(temp));
  if (found?.size === 0 && (await host.query(lstat(sidecarPath(path)))) === null) await host.change(remove(temp));
}

/** Takes the loop back, if there is one, when LVM confirms that what is on it is in no VG. */
export async function unserve(session: Session, work: Work): Promise<void> {
  const [loop] = await loopsOn(session, servedBy(work));
  if (loop === undefined) return;
  const pvs = await readPvs(session, { devices: [loop.name], directory: work.directory });
  const pv = pvs.find(({ name }) => name === loop.name);
  if (pv === undefined || pv.vgName !== '') throw new Failure('refused', 'it is in a VG');
  if (pv.uuid !== '' && pv.uuid !== work.sidecar.pvUuid) throw new Failure('refused', 'it is another PV');
  await detach(session, { step: 'detach', object: loop.name, reason: 'what followed failed' }, servedBy(work));
  work.device = null;
}
