import { Failure } from '@platter/host/failure';
import { refuseTaken } from './facts.ts';
import type { Machine } from './machine.ts';
import { sharedWork } from './starting.ts';
import { isUnchanged, stateOf } from './state.ts';
import type { Volume } from './volume.ts';

/** What the person wants of a stop. */
export interface StopWish {
  discard: boolean;
  confirmed: boolean;
  label?: string | undefined;
  always: boolean;
}

export type Stop = 'already' | 'unname' | 'throw away' | 'put aside' | 'discard' | 'rest' | 'commit';

/** Decides a stop from the facts, the first row that fits; what may not be done is a Failure. */
export function decideStop(volume: Volume, machine: Machine, wish: StopWish): Stop {
  const { name, file, work, head } = volume;
  if (work === null) {
    if (file.volumeKind !== 'snapshot' || head === null) return 'already';
    if (machine.headHolders.length > 0) throw heldBy(name, 'stop', machine.headHolders);
    return 'unname';
  }
  if (machine.holders.length > 0) throw heldBy(name, 'stop', machine.holders);
  if (work.nlink !== 1) throw sharedWork(name, work.path);
  if (file.volumeKind !== 'saved' && wish.label !== undefined)
    throw new Failure(
      'refused',
      `${name} is ${file.volumeKind} and has no revisions: it cannot keep what was written`,
      {
        hint: `reflink-pool import NEW ${work.path} --create`,
      },
    );
  if (file.volumeKind !== 'saved') return 'throw away';
  if (wish.discard) return decideDiscard(volume, wish);
  return isUnchanged(volume, machine.bootId) && !wish.always ? 'rest' : 'commit';
}

/** Somebody uses the image: what he writes after this would be lost or would change a committed state. */
export const heldBy = (name: string, verb: string, holders: readonly string[]): Failure =>
  new Failure('busy', `will not ${verb} ${name}: it is in use`, {
    details: { by: holders.join('\n') },
    hint: 'shut the guest down or detach the device, then try again',
  });

function decideDiscard(volume: Volume, { label, confirmed }: StopWish): Stop {
  if (label === undefined && !confirmed)
    throw new Failure('refused', `will not throw away what was written to ${volume.name}`, {
      hint: `--confirm=${volume.name}, or keep it as a revision: --discard --label NAME`,
    });
  if (label === undefined) return 'discard';
  refuseTaken(volume, label);
  return 'put aside';
}

/** Whether the working copy outlived its boot: its last writes may be missing. */
export const isUnclean = (volume: Volume, { bootId }: Machine): boolean =>
  volume.work !== null &&
  (volume.session?.unclean === true || ['unclean', 'headless'].includes(stateOf(volume, { bootId, held: false })));
