import type { Fill, Hold, Program, QmpCommand } from './door.ts';
import type { Held, HoldOptions } from './hold.ts';

type Options = Omit<Program, 'op' | 'program' | 'args'>;

/** A program and its words, for `query` when it only looks and for `change` when it touches. */
export function run(program: string, args: readonly string[], options: Options = {}): Program {
  return { op: 'run', program, args, ...options };
}

/** A command of QEMU's machine protocol, for `query` when it only looks and for `change` when it touches. */
export const qmp = (path: string, execute: string, words?: QmpCommand['arguments']): QmpCommand => ({
  op: 'qmp',
  path,
  execute,
  ...(words === undefined ? {} : { arguments: words }),
});

/** Facts about a path, its final symlink followed; null when nothing is there. */
export const stat = (path: string) => ({ op: 'stat', path, follow: true }) as const;
/** Facts about a path itself, also when it is a symlink. */
export const lstat = (path: string) => ({ op: 'stat', path, follow: false }) as const;
/** A small file as UTF-8. */
export const text = (path: string) => ({ op: 'text', path }) as const;
/** A small file as bytes. */
export const bytes = (path: string) => ({ op: 'bytes', path }) as const;
/** The entries of a directory in byte order, without `.` and `..`. */
export const list = (path: string) => ({ op: 'list', path }) as const;
export const realpath = (path: string) => ({ op: 'realpath', path }) as const;
export const readlink = (path: string) => ({ op: 'readlink', path }) as const;
/** Free and total bytes of the filesystem a path lies on. */
export const space = (path: string) => ({ op: 'space', path }) as const;
/** What a server at a local socket says first, empty when it says nothing within a second; null when nobody listens. */
export const greeting = (path: string) => ({ op: 'greeting', path }) as const;
/** A file or block device held open, identified by what was opened and not by its name. */
export const hold = (path: string, options: HoldOptions = {}): Hold => ({ op: 'hold', path, ...options });
/** Bytes of what is held, into a buffer that can be used again. */
export const fill = (held: Held, into: Uint8Array, at: number): Fill => ({
  op: 'fill',
  path: held.path,
  held,
  into,
  at,
});
