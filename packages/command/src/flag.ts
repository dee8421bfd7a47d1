import { parseDuration } from '@platter/units/duration';
import { parseInstant } from '@platter/units/instant';
import { Invalid } from '@platter/units/invalid';
import { parseSize } from '@platter/units/size';

/** One flag of a verb. `T` is what the verb gets; the person's text goes through `parse`, whose Invalid is exit 2. */
export interface Flag<T = unknown> {
  help: string;
  /** How its value is called in the help; a flag without one is a switch. */
  value?: string;
  short?: string;
  /** Read when the flag is not given. */
  env?: string;
  /** As a person would write it. */
  default?: string;
  many?: boolean;
  parse?: (text: string) => T;
}
export type Flags = Record<string, Flag>;
export type Values<F extends Flags> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

type Common = Omit<Flag, 'parse' | 'many' | 'default' | 'value'>;
type Valued<T> = Common & { value: string; parse: (text: string) => T };

/** A flag with a value; undefined when it is not given. */
export function optional<T>(flag: Valued<T>): Flag<T | undefined> {
  return flag;
}
/** A flag with a value and a default, written as a person would. */
export function given<T>(flag: Valued<T> & { default: string }): Flag<T> {
  return flag;
}
/** A flag that may be given several times; the values in order, none when absent. */
export function several<T>(flag: Valued<T>): Flag<T[]> {
  return { ...flag, many: true } as unknown as Flag<T[]>;
}
/** A switch: true when given. */
export function on(help: string, more: { short?: string } = {}): Flag<boolean> {
  return { help, ...more };
}

/** Parsers with the name their value has in the help: `given({ ...size, help, default: '10G' })`. */
export const text = { value: 'TEXT', parse: (word: string) => word };
export const size = { value: 'SIZE', parse: parseSize };
/** Milliseconds. */
export const duration = { value: 'DURATION', parse: parseDuration };
/** Milliseconds since the epoch. */
export const instant = { value: 'INSTANT', parse: parseInstant };
export const integer = { value: 'N', parse: parseInteger };
export const octalMode = { value: 'MODE', parse: parseMode };

/** One of a few words. */
export function choice<const C extends readonly string[]>(
  ...choices: C
): { value: string; parse: (word: string) => C[number] } {
  const parse = (word: string) => {
    if (choices.includes(word)) return word as C[number];
    throw new Invalid(`"${word}" is none of ${choices.join(', ')}`);
  };
  return { value: choices.join('|'), parse };
}

function parseInteger(word: string): number {
  if (/^(0|[1-9]\d{0,14})$/.test(word)) return Number(word);
  throw new Invalid(`"${word}" is not a whole number`);
}

function parseMode(word: string): number {
  if (/^0?[0-7]{3}$/.test(word)) return Number.parseInt(word, 8);
  throw new Invalid(`"${word}" is not a file mode: three octal digits, as in 0600`);
}
