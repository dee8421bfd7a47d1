import type { Call } from '@platter/command/call';
import { optional } from '@platter/command/flag';
import { reading } from '@platter/command/words';
import { parseDuration } from '@platter/units/duration';
import { Invalid } from '@platter/units/invalid';
import { checkAbsolute } from '@platter/units/path';
import { type Leases, leasesOf } from './leases.ts';

/** The flag every verb has. */
export const leasesFlag = optional({
  value: 'DIR',
  env: 'PLATTER_LIFETIMES',
  help: 'where the leases lie (else /var/lib/platter/lifetimes for root, or below XDG_STATE_HOME)',
  parse: checkAbsolute,
});

/** The leases a call is about. */
export function leasesIn(call: Call<{ leases: string | undefined }>): Leases {
  return reading('--leases', () => leasesOf(call.flags.leases, call.env, call.uid));
}

/** A duration in whole seconds; fractions round up. */
export const seconds = { value: 'DURATION', parse: (word: string) => Math.ceil(parseDuration(word) / 1000) };

/** A duration of at least a second. */
export const span = {
  value: 'DURATION',
  parse: (word: string) => {
    const whole = seconds.parse(word);
    if (whole > 0) return whole;
    throw new Invalid(`"${word}" is no time at all: say at least 1s`);
  },
};

/** A command line as a JSON array whose first word is an absolute path. */
export const argv = {
  value: 'JSON',
  parse: (word: string): string[] => {
    const words = parsed(word);
    if (!Array.isArray(words) || words.length === 0 || words.some((one) => typeof one !== 'string'))
      throw new Invalid(
        `${word} is not a command line: use a JSON array of strings, as in ["/usr/bin/touch","/tmp/x"]`,
      );
    return checkCommand(words as string[]);
  },
};

function parsed(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    return undefined;
  }
}

/** A command line that is run without a shell and without a PATH of its own. */
export function checkCommand(words: readonly string[]): string[] {
  const [program = ''] = words;
  if (program.startsWith('/')) return [...words];
  throw new Invalid(`the command ${JSON.stringify(program)} is not an absolute path`);
}
