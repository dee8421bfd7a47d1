import { formatSize } from '@platter/units/size';
import { lockedVg } from './locks.ts';
import type { Removed } from './records.ts';
import { removeGroup } from './remove.ts';
import { removeFile } from './remove-file.ts';
import type { Session } from './session.ts';
import { findSidecars, lookAtGroup } from './survey.ts';
import { vgNameIn } from './sweep.ts';

/** Removes what a word names, under the lock of its VG; what is not there is gone already. */
export async function takeAway(session: Session, word: string, withVolumes: boolean): Promise<void> {
  const [name = '', file] = word.split('/');
  const { host, roots } = session;
  const known = await findSidecars(host, roots);
  if (!known.some(({ group }) => group === name)) return session.call.note(`${word} is already gone`);
  await lockedVg(session, vgNameIn(known, name), async () => {
    const found = await findSidecars(host, roots);
    const group = await lookAtGroup(session, found, name);
    if (group.images.length === 0 && group.unreadable.length === 0) return session.call.note(`${word} is already gone`);
    const removed =
      file === undefined
        ? await removeGroup(session, { group, withVolumes, found })
        : await removeFile(session, { group, withVolumes, found }, file);
    if (removed === null) return session.call.note(`${word} is already gone`);
    await tell(session, removed);
  });
}

async function tell({ call, host }: Session, removed: Removed): Promise<void> {
  if (host.dry) return;
  const { metadata, images, bytesFreed } = removed;
  const text = `${metadata.name}  removed  ${images.length} ${images.length === 1 ? 'file' : 'files'}  ${formatSize(bytesFreed)} freed`;
  await call.emit(removed, { text, name: metadata.name });
}
