import type { Held, HoldOptions } from './hold.ts';
import type { Piece } from './pour.ts';

/** A host program and its words. `timeout` in ms; without one, 30 s. Code, output and errors come back, whatever they are. */
export interface Program {
  op: 'run';
  program: string;
  args: readonly string[];
  input?: string | Uint8Array;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  timeout?: number;
  /** Killed after this many ms in which it neither prints, reads nor writes; replaces `timeout` for long work. */
  stall?: number;
  /** Ended by SIGTERM when this is aborted, and by no limit of time: for what runs beside our work. */
  until?: AbortSignal;
  /** Descriptors of ours the program finds as 3, 4, ... */
  inherit?: readonly number[];
  /** The program's descriptor 3 is read into `Output.report` (LVM_REPORT_FD); excludes `inherit`. */
  report?: boolean;
  /** Gets stdout as it comes instead of `Output.stdout`; false ends the program. */
  watch?: (chunk: string) => boolean | undefined;
}

/** How a program ended. `code` is null when a signal or our timeout ended it: "could not tell". */
export interface Output {
  code: number | null;
  stdout: string;
  stderr: string;
  report: string;
}

/** What stat says, exact: numbers that may pass 2^53 are bigint, times are ns since the epoch. */
export interface Stat {
  kind: EntryKind;
  dev: bigint;
  ino: bigint;
  rdev: bigint;
  size: number;
  allocated: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  birthNs: bigint;
}

export type EntryKind = 'file' | 'dir' | 'link' | 'block' | 'char' | 'fifo' | 'socket';
export interface Entry {
  name: string;
  kind: EntryKind;
}
/** Bytes of a filesystem: `free` is what an unprivileged user may still write; `type` its magic number. */
export interface Space {
  free: number;
  total: number;
  type: number;
}

/** Who holds a lock, for the one who does not get it. */
export interface Holder {
  tool: string;
  verb: string;
  pid: number;
  host: string;
  since: string;
}
/** A flock of ours: it lives with an open file and dies with us. */
export interface Lock {
  fd: number;
  path: string;
  /** What the file held when we got the lock: the last holder's words. */
  previous: string;
  release(): void;
}
/** `wait` in ms; `holder` is written into the file; a directory or `readOnly` file is locked but not written. */
export interface LockRequest {
  op: 'lock';
  path: string;
  shared?: boolean;
  wait?: number;
  holder?: Holder;
}

export interface Hold extends HoldOptions {
  op: 'hold';
  path: string;
}

/** Bytes of what is held, from an offset on, until the buffer is full; busy when the file ends before. */
export interface Fill {
  op: 'fill';
  path: string;
  held: Held;
  into: Uint8Array;
  at: number;
}

/** One command of QEMU's machine protocol over a socket of its own; gives what QEMU returns. */
export interface QmpCommand {
  op: 'qmp';
  path: string;
  execute: string;
  arguments?: Readonly<Record<string, unknown>>;
  /** Waits so many ms before it asks: for who asks again and again. */
  after?: number;
  /** In ms; 30 s without one. */
  timeout?: number;
}

/** Looks: they change nothing and also run in a dry run. `null` is a confirmed absence; what could not be told throws. */
export type Query =
  | Program
  | LockRequest
  | Hold
  | Fill
  | QmpCommand
  | { op: 'stat'; path: string; follow: boolean }
  | { op: 'text'; path: string }
  | { op: 'bytes'; path: string }
  | { op: 'list'; path: string }
  | { op: 'realpath'; path: string }
  | { op: 'readlink'; path: string }
  | { op: 'space'; path: string }
  | { op: 'greeting'; path: string };

interface Answers {
  run: Output;
  lock: Lock;
  hold: Held;
  fill: undefined;
  qmp: unknown;
  stat: Stat | null;
  text: string | null;
  bytes: Uint8Array | null;
  list: Entry[] | null;
  realpath: string | null;
  readlink: string | null;
  space: Space;
  greeting: string | null;
}
export type Answer<Q extends Query> = Answers[Q['op']];

interface Write {
  op: 'write';
  path: string;
  data: string | Uint8Array;
  mode: number;
  exclusive: boolean;
  volatile?: boolean;
  /** The shell command that prints the data, where it tells of what a dry run did not make. */
  shell?: string;
}

/** `held`: the very files that are open, whatever their names lead to by now. */
export interface Copy {
  op: 'copy';
  from: string;
  to: string;
  reflink: boolean;
  timeout?: number;
  stall?: number;
  held?: { from: Held; to: Held };
}

/** Touches: a closed set, each of which can also be shown as the shell line that would do it. */
export type Change = (
  | Program
  | LockRequest
  | Write
  | QmpCommand
  | Copy
  | { op: 'link'; from: string; to: string }
  | { op: 'rename'; from: string; to: string }
  | { op: 'remove'; path: string; dir: boolean }
  | { op: 'truncate'; path: string; size: number }
  | { op: 'mkdir'; path: string; mode: number }
  | { op: 'chmod'; path: string; mode: number }
  | { op: 'sync'; path: string; held?: Held }
  | { op: 'pour'; to: Held; pieces: readonly Piece[]; workers?: number }
) & { why?: string };

interface Effects {
  run: Output;
  lock: Lock;
  qmp: unknown;
}
export type Effect<C extends Change> = C['op'] extends keyof Effects ? Effects[C['op']] : undefined;

/** The one door: everything the product looks at or touches on the machine goes through it. */
export interface Host {
  /** True where changes are only shown: what a change would have made cannot be looked at afterwards. */
  readonly dry: boolean;
  query<Q extends Query>(query: Q): Promise<Answer<Q>>;
  change<C extends Change>(change: C): Promise<Effect<C>>;
}

/** The same change with the reason the plan gives for it. */
export function because<C extends Change>(change: C, why: string): C {
  return { ...change, why };
}
