import type { Holder, Host } from '@platter/host/door';
import type { Progress } from './progress.ts';
import type { Environment } from './words.ts';

/** A record for stdout: at least `apiVersion` and `kind`. */
export type Platter = { apiVersion: 'platter.dev/v1'; kind: string } & Record<string, unknown>;

/** How a record looks to people and to `-o name`; without `text` it is not shown to people. */
export interface View {
  text?: string | readonly string[];
  name?: string;
}

/** One run of a verb: what was said, the machine, and the ways to speak. Time, randomness and environment come from here. */
export interface Call<V = Record<string, unknown>> {
  readonly words: readonly string[];
  readonly rest: readonly string[];
  readonly flags: V;
  readonly host: Host;
  readonly env: Environment;
  readonly cwd: string;
  readonly uid: number;
  /** Who runs, for lock files and records. */
  readonly holder: Holder;
  readonly version: string;
  /** Milliseconds since the epoch. */
  now(): number;
  random(length: number): Uint8Array;
  uuid(): string;
  /** stdin, whole; for input that is one document. */
  input(): Promise<Uint8Array>;
  /** stdin line by line, without the ends of lines. */
  lines(): AsyncIterable<string>;
  /** stdin as it comes; for bulk data. */
  stream(): AsyncIterable<Uint8Array>;
  /** Writes one record; waits while the reader is slow. */
  emit(record: Platter, view: View): Promise<void>;
  /** Writes bytes of data as they are. */
  write(bytes: Uint8Array): Promise<void>;
  /** Part of the story, on stderr; silenced by -q. */
  note(text: string): void;
  /** A warning, on stderr; not silenced. */
  warn(text: string): void;
  progress(label: string, total: number): Progress;
}
