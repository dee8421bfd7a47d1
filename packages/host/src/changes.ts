import type { Change } from './door.ts';
import type { Held } from './hold.ts';
import type { Piece } from './pour.ts';

/** A new file with these bytes, fsynced; fails when the name is taken. */
export const create = (path: string, data: string | Uint8Array, mode: number) =>
  ({ op: 'write', path, data, mode, exclusive: true }) as const;
/** A new file with these bytes that may be lost or torn in a power cut: for hints, nothing else. */
export const jot = (path: string, data: string, { mode, shell }: { mode: number; shell?: string }) =>
  ({
    op: 'write',
    path,
    data,
    mode,
    exclusive: true,
    volatile: true,
    ...(shell === undefined ? {} : { shell }),
  }) as const;
/** A file with these bytes, fsynced; an existing one is truncated and keeps its mode. For names no reader looks at yet. */
export const write = (path: string, data: string | Uint8Array, mode: number) =>
  ({ op: 'write', path, data, mode, exclusive: false }) as const;
/** A sparse copy with the source's times to a name that should be free; the copy is cancellable. */
export const copy = (from: string, to: string, limits: { timeout?: number; stall?: number } = {}) =>
  ({ op: 'copy', from, to, reflink: false, ...limits }) as const;
/** A clone that shares every extent, never a silent copy; times are kept. */
export const reflink = (from: string, to: string, limits: { timeout?: number; stall?: number } = {}) =>
  ({ op: 'copy', from, to, reflink: true, ...limits }) as const;
/** The same into a file that is held for writing, of one that is held: what is read of `from` is what is cloned. */
export const clone = (from: Held, to: Held) =>
  ({ op: 'copy', from: from.path, to: to.path, reflink: true, held: { from, to } }) as const;
/** A further name; fails with EEXIST when the name is taken. */
export const link = (from: string, to: string) => ({ op: 'link', from, to }) as const;
export const rename = (from: string, to: string) => ({ op: 'rename', from, to }) as const;
/** A name goes; one that is not there is no failure. */
export const remove = (path: string) => ({ op: 'remove', path, dir: false }) as const;
/** An empty directory goes; one that is not there is no failure. */
export const removeDir = (path: string) => ({ op: 'remove', path, dir: true }) as const;
export const truncate = (path: string, size: number) => ({ op: 'truncate', path, size }) as const;
/** A new directory with exactly this mode; fails when the name is taken. */
export const mkdir = (path: string, mode: number) => ({ op: 'mkdir', path, mode }) as const;
export const chmod = (path: string, mode: number) => ({ op: 'chmod', path, mode }) as const;
/** fsync of a file or a directory. */
export const sync = (path: string) => ({ op: 'sync', path }) as const;
/** fsync on the very descriptor that is held: one opened later may not be told of an earlier failed write-back. */
export const flush = (held: Held) => ({ op: 'sync', path: held.path, held }) as const;
/** One batch of bulk data, checked and written by workers. */
export const pour = (to: Held, pieces: readonly Piece[], workers?: number): Change & { op: 'pour' } =>
  workers === undefined ? { op: 'pour', to, pieces } : { op: 'pour', to, pieces, workers };
