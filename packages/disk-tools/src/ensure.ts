import type { Call } from '@platter/command/call';
import { errno, Failure } from '@platter/host/failure';
import { formatSize } from '@platter/units/size';
import { type Made, make } from './create.ts';
import { type Decision, decide } from './disk.ts';
import { framed, frameOf, tidy } from './frame.ts';
import { holder } from './holders.ts';
import { checkLinks, checkSpace } from './place.ts';
import { checkPrograms } from './programs.ts';
import type { Room } from './room.ts';
import { recordOf, view } from './story.ts';
import { surveyed } from './survey.ts';
import type { Target } from './target.ts';
import { type NewDisk, neededSpace, newDisk, type Wish } from './wish.ts';

/** Makes the disk, or keeps the one that is there: decided from facts, and again from fresh ones under the lock. */
export async function ensure(call: Call, target: Target, wish: Wish): Promise<void> {
  const wanted = newDisk(wish);
  const decision = await decided(call, target, wish);
  if (decision.action === 'keep') {
    await tidy(call.host, target, () => frameOf(call, target));
    return kept(call, target, decision);
  }
  await checkMachine(call, target, wanted);
  loadAhead();
  const disk = { ...wanted, uuid: wish.uuid ?? call.uuid() };
  const outcome = await framed(call.host, frameOf(call, target), async (room) => {
    const again = await decided(call, target, wish);
    return again.action === 'keep' ? again : build(call, { target, room, disk, wish });
  });
  if (outcome === null) return;
  if ('action' in outcome) return kept(call, target, outcome);
  await created(call, target, outcome);
}

/** Everything that could only fail later is looked at before the first change. */
async function checkMachine({ host, env }: Call, { dir }: Target, wanted: Omit<NewDisk, 'uuid'>): Promise<void> {
  await checkPrograms(host, env, [`mkfs.${wanted.fs}`, ...(wanted.format === 'qcow2' ? ['qemu-img'] : [])]);
  await checkSpace(host, dir, neededSpace(wanted));
  await checkLinks(host, dir);
}

/** What starts programs is loaded while flock runs and the lock is flushed, and not after. */
const loadAhead = () => void import('@platter/host/execute').catch(() => {});

const decided = (call: Call, { path, said }: Target, wish: Wish): Promise<Decision> =>
  surveyed(call.host, { path, raw: wish.format === 'raw', census: true, holder }, (found) => decide(found, wish, said));

interface Building {
  target: Target;
  room: Room;
  disk: NewDisk;
  wish: Wish;
}

/** When somebody else was faster, what they made decides. */
async function build(call: Call, { target, room, disk, wish }: Building): Promise<Made | Decision | null> {
  const progress = call.progress(`making ${target.said}`, disk.size);
  try {
    const update = (share: number) => progress.update(Math.round(share * disk.size));
    return await make(call.host, { target, room, disk, random: call.random, progress: update });
  } catch (error) {
    if (errno(error) !== 'EEXIST') throw error;
    const again = await decided(call, target, wish);
    if (again.action === 'create') throw new Failure('busy', `${target.said} comes and goes`, { hint: 'try again' });
    return again;
  } finally {
    progress.end();
  }
}

async function kept(call: Call, target: Target, decision: Decision): Promise<void> {
  if (decision.action !== 'keep') return;
  const { disk, warnings } = decision;
  for (const warning of warnings) call.warn(`${target.said}: ${warning}`);
  const record = recordOf(disk, { action: 'kept', path: target.path, warnings });
  await call.emit(record, view(target.said, record, '(nothing to do)'));
}

async function created(call: Call, target: Target, { disk, warnings }: Made): Promise<void> {
  for (const warning of warnings) call.warn(`${target.said}: ${warning}`);
  const record = recordOf(disk, { action: 'created', path: target.path, warnings });
  await call.emit(record, view(target.said, record, `${formatSize(disk.file.allocated)} on disk`));
}
