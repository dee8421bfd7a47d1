import type { Call } from './call.ts';
import type { Flag, Flags, Values } from './flag.ts';
import { choice, given, on } from './flag.ts';

/** A word of a verb: `PATH`, `[PATH]` when it may be left out, `PATH...` when there may be several. */
export interface Word {
  name: string;
  optional?: boolean;
  many?: boolean;
}

/** One verb: its words and flags, what it may exit with, and the order of things. One file each, loaded when asked for. */
export interface Verb<F extends Flags = Flags> {
  about: string;
  words: readonly Word[];
  flags: F;
  /** Adds --dry-run. */
  mutates?: boolean;
  /** Adds --progress. */
  long?: boolean;
  /** Takes a command line after `--`. */
  rest?: string;
  exits: readonly number[];
  /** Three: a command line and what it does. */
  examples: readonly (readonly [line: string, does: string])[];
  run(call: Call<Values<F>>): Promise<void>;
}

/** A verb with the types of its flags. */
export function verb<const F extends Flags>(definition: Verb<F>): Verb {
  return definition as unknown as Verb;
}

const common = {
  output: given({ ...choice('text', 'json', 'name'), short: 'o', default: 'text', help: 'what stdout carries' }),
  quiet: on('say nothing on stderr but failures', { short: 'q' }),
  verbose: on('tell each change on stderr', { short: 'v' }),
  help: on('show this help', { short: 'h' }),
} satisfies Flags;
const mutating: Flags = { 'dry-run': on('change nothing; print the plan as shell lines', { short: 'n' }) };
const lasting: Flags = {
  progress: given({
    ...choice('auto', 'json', 'none'),
    default: 'auto',
    help: 'a bar on a terminal, or JSON lines on stderr',
  }),
};

/** All flags of a verb, its own first. */
export function flagsOf({ flags, mutates, long }: Verb): Record<string, Flag> {
  return { ...flags, ...(mutates ? mutating : {}), ...(long ? lasting : {}), ...common };
}
