import { Failure } from '@platter/host/failure';
import { formatSize, sizeWord } from '@platter/units/size';
import { refuseImporting } from './importing.ts';
import type { Machine } from './machine.ts';
import { sameImage } from './naming.ts';
import { isPrepared, stateOf } from './state.ts';
import { refuseStrange } from './strange.ts';
import { pathOf, type Volume } from './volume.ts';

/** What the person wants of a start. Sizes in bytes. */
export interface StartWish {
  onDirty: 'resume' | 'commit' | 'discard' | 'refuse';
  confirmed: boolean;
  prepare: boolean;
  free: number;
  reserve: number;
}

/** What a start does; each is one row of the table of facts, the first that fits. */
export type Start =
  | { does: 'nothing'; path: string; outcome: 'already' | 'started' }
  | { does: 'resume' | 'rename' | 'clone' | 'link' | 'overlay' | 'sparse' | 'prepare' }
  | { does: 'settle'; how: 'commit' | 'discard' };

/** Decides a start from the facts; what may not be done is a Failure, and nothing was touched. */
export function decideStart(volume: Volume, machine: Machine, wish: StartWish): Start {
  refuseImporting(volume, 'start');
  if (wish.prepare) return decidePrepare(volume, wish);
  return served(volume, machine) ?? dirty(volume, wish) ?? fresh(volume, machine, wish);
}

/** Rows that touch nothing: what is not written, and what runs already. */
function served(volume: Volume, machine: Machine): Start | null {
  const { head, work, file } = volume;
  const already = (path: string): Start => ({ does: 'nothing', path, outcome: 'already' });
  if (file.volumeKind === 'saved' && !file.rw && head !== null && work === null)
    return { does: 'nothing', path: head.path, outcome: 'started' };
  if (file.volumeKind === 'snapshot' && !file.rw && head !== null) {
    const current = isOutdated(volume, machine.source) === false;
    if (current || machine.headHolders.length > 0) return already(head.path);
  }
  const held = machine.holders.length > 0;
  return work !== null && stateOf(volume, { bootId: machine.bootId, held }) === 'running' ? already(work.path) : null;
}

/** Whether a snapshot's own name and its source's head are different images; null when one of them is missing. */
export function isOutdated({ head }: Pick<Volume, 'head'>, source: Volume | null): boolean | null {
  return head === null || !source?.head ? null : !sameImage(head, source.head);
}

/** Rows about a saved volume whose working copy nobody uses any more. */
function dirty(volume: Volume, wish: StartWish): Start | null {
  const { name, work, file } = volume;
  const { onDirty, confirmed } = wish;
  if (file.volumeKind !== 'saved' || work === null) return null;
  if (work.nlink !== 1) throw sharedWork(name, work.path);
  if (onDirty === 'resume') return { does: 'resume' };
  if (onDirty === 'refuse' || (onDirty === 'discard' && !confirmed)) throw notStopped(name, onDirty);
  if (onDirty === 'discard' && volume.head === null) throw headless(name);
  refuseFull(name, wish);
  return { does: 'settle', how: onDirty };
}

const notStopped = (name: string, onDirty: 'discard' | 'refuse'): Failure =>
  new Failure('refused', `will not start ${name}: it was not stopped before the last restart`, {
    hint:
      onDirty === 'discard'
        ? `--confirm=${name}`
        : `reflink-pool start ${name} --on-dirty resume, or reflink-pool stop ${name}`,
  });

const headless = (name: string): Failure =>
  new Failure('refused', `will not start ${name}: it has no head`, { hint: `reflink-pool revert ${name}@latest` });

/** A working copy with a further name: writing it, or making it the head, would change what that name means. */
export const sharedWork = (name: string, path: string): Failure =>
  new Failure('refused', `will not touch ${name}: its working copy has more than one name`, {
    details: { by: path },
    hint: `find the other name by inode: find POOL -samefile ${path}`,
  });

function fresh(volume: Volume, { source }: Machine, wish: StartWish): Start {
  const { name, file, head } = volume;
  if (file.volumeKind === 'saved' && head === null) throw headless(name);
  if (file.volumeKind === 'snapshot' && !source?.head)
    throw new Failure('refused', `will not start ${name}: its source ${file.source} has no head`, {
      hint: `reflink-pool show ${file.source}`,
    });
  if (file.volumeKind === 'snapshot' && !file.rw) return { does: 'link' };
  refuseFull(name, wish);
  if (file.volumeKind === 'snapshot') return { does: 'overlay' };
  if (file.volumeKind === 'volatile') return { does: 'sparse' };
  return { does: isPrepared(volume) ? 'rename' : 'clone' };
}

/** A clone succeeds on a full disk; it is the guest's overwriting of shared blocks that then fails. */
function refuseFull(name: string, { free, reserve }: StartWish): void {
  if (free >= reserve) return;
  throw new Failure('refused', `will not start ${name}: too little space for what it will write`, {
    details: { have: formatSize(free), need: formatSize(reserve) },
    hint: `reflink-pool prune with free=${sizeWord(reserve)} in its policy, or --reserve 0`,
  });
}

function decidePrepare(volume: Volume, wish: StartWish): Start {
  const { name, file, head, work } = volume;
  if (file.volumeKind !== 'saved' || !file.rw || head === null || work !== null)
    throw new Failure('refused', `will not prepare ${name}: only a stopped, writable, saved volume can be prepared`);
  if (isPrepared(volume)) return { does: 'nothing', path: pathOf(volume, 'prepared'), outcome: 'already' };
  refuseStrange(volume, 'prepared');
  refuseFull(name, wish);
  return { does: 'prepare' };
}
