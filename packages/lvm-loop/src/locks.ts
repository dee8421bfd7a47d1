import type { Lock } from '@platter/host/door';
import { errno } from '@platter/host/failure';
import { stat } from '@platter/host/looks';
import type { Session } from './session.ts';

const folder = '/run/platter';
const own = `${folder}/lvm-loop`;

/** Host-wide and shared by all our tools: whoever looks for a free loop device, attaches or detaches. */
const losetupLock = `${folder}/losetup.lock`;

/** Runs `work` while no other run changes the VG of this name. */
export const lockedVg = <T>(session: Session, vgName: string, work: () => Promise<T>): Promise<T> =>
  locked(session, `${own}/vg-${vgName}.lock`, work);

/** Runs `work` while nobody else of us takes space of this filesystem. */
export const lockedSpace = <T>(session: Session, filesystem: string, work: () => Promise<T>): Promise<T> =>
  locked(session, `${own}/alloc-${filesystem}.lock`, work);

/** Runs `work` while nobody else of us attaches or detaches loops. */
export const lockedLoops = <T>(session: Session, work: () => Promise<T>): Promise<T> =>
  locked(session, losetupLock, work);

async function locked<T>(session: Session, path: string, work: () => Promise<T>): Promise<T> {
  await ensureFolders(session);
  const lock = await take(session, path);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

const take = ({ host, call }: Session, path: string): Promise<Lock> =>
  host.change({ op: 'lock', path, holder: call.holder, wait: call.flags.wait });

async function ensureFolders({ host }: Session): Promise<void> {
  if (host.dry) return;
  for (const path of [folder, own]) {
    if ((await host.query(stat(path))) !== null) continue;
    await host.change({ op: 'mkdir', path, mode: 0o755 }).catch((error) => {
      if (errno(error) !== 'EEXIST') throw error;
    });
  }
}
