import { Failure } from '@platter/host/failure';
import { formatSize } from '@platter/units/size';
import { refuseImporting } from './importing.ts';
import type { Machine } from './machine.ts';
import { sharedWork } from './starting.ts';
import { stateOf } from './state.ts';
import type { Volume } from './volume.ts';

/** What the person wants: a size in bytes. */
export interface ResizeWish {
  size: number;
  allowShrink: boolean;
  confirmed: boolean;
}

/** What a resize does: the working copy grows, a new head takes the old one's place, or only the sidecar says so. `from` in bytes. */
export interface Resize {
  does: 'grow' | 'replace' | 'note';
  from: number;
}

/** Decides a resize from the facts, the first row that fits; what may not be done is a Failure. */
export function decideResize(volume: Volume, machine: Machine, wish: ResizeWish): Resize {
  const { name, file, work, head } = volume;
  refuseImporting(volume, 'resize');
  if (!file.rw) throw new Failure('refused', `will not resize ${name}: it is read-only`);
  if (work !== null && isWritten(volume, machine)) return { does: 'grow', from: growable(name, work, wish) };
  if (file.volumeKind === 'volatile') return { does: 'note', from: file.size ?? 0 };
  if (file.volumeKind === 'snapshot')
    throw new Failure('refused', `will not resize ${name}: it is as large as its source at each start`, {
      hint: `reflink-pool resize ${file.source}`,
    });
  if (head === null)
    throw new Failure('refused', `will not resize ${name}: it has no head`, {
      hint: `reflink-pool revert ${name}@latest`,
    });
  if (wish.size < head.size) refuseShrink(name, wish);
  return { does: 'replace', from: head.size };
}

/** Whether the working copy lives on: that of other kinds than saved is made anew once nobody uses it. */
function isWritten(volume: Volume, { bootId, holders }: Machine): boolean {
  return volume.file.volumeKind === 'saved' || stateOf(volume, { bootId, held: holders.length > 0 }) === 'running';
}

/** The present size of a working copy; it is never cut under whoever uses it. */
function growable(name: string, { path, size, nlink }: NonNullable<Volume['work']>, wish: ResizeWish): number {
  if (nlink !== 1) throw sharedWork(name, path);
  if (wish.size >= size) return size;
  throw new Failure('refused', `will not make ${name} smaller: it is started`, {
    details: { now: formatSize(size) },
    hint: `reflink-pool stop ${name}`,
  });
}

function refuseShrink(name: string, { size, allowShrink, confirmed }: ResizeWish): void {
  if (allowShrink && confirmed) return;
  throw new Failure('refused', `will not make ${name} smaller: what lies beyond ${formatSize(size)} would be cut off`, {
    hint: `--allow-shrink --confirm=${name}`,
  });
}
