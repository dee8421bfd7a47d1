import { parseArgs } from 'node:util';
import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import type { Flag } from './flag.ts';
import { flagsOf, type Verb } from './verb.ts';

/** What a person said: the verb's words, what followed `--`, and every flag's value. */
export interface Said {
  words: string[];
  rest: string[];
  flags: Record<string, unknown>;
}
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the words after a verb, strictly: unknown flags, missing and superfluous words are exit 2. */
export function readWords(verb: Verb, argv: readonly string[], env: Environment): Said {
  const flags = flagsOf(verb);
  const { words, rest, values } = split(argv, flags);
  if (rest.length > 0 && verb.rest === undefined) words.push(...rest.splice(0));
  const read = Object.entries(flags).map(([name, flag]) => [name, flagValue({ name, flag, said: values[name], env })]);
  const said = { words, rest, flags: Object.fromEntries(read) as Record<string, unknown> };
  if (said.flags.help !== true) countWords(verb, words);
  return said;
}

function split(argv: readonly string[], flags: Record<string, Flag>) {
  const options = Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, option(flag)]));
  const end = argv.indexOf('--');
  const [before, rest] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)];
  try {
    const { values, positionals } = parseArgs({ args: [...before], options, strict: true, allowPositionals: true });
    return { words: positionals, rest: [...rest], values };
  } catch (error) {
    throw new Failure('usage', (error as Error).message.split('. ')[0] ?? 'unreadable words', { cause: error });
  }
}

function option({ value, many, short }: Flag) {
  const type = value === undefined ? ('boolean' as const) : ('string' as const);
  return { type, ...(many ? { multiple: true } : {}), ...(short === undefined ? {} : { short }) };
}

interface Question {
  name: string;
  flag: Flag;
  said: unknown;
  env: Environment;
}

function flagValue({ name, flag, said, env }: Question): unknown {
  const { parse } = flag;
  if (parse === undefined) return said === true;
  if (flag.many) return ((said ?? []) as string[]).map((word) => reading(`--${name}`, () => parse(word)));
  if (typeof said === 'string') return reading(`--${name}`, () => parse(said));
  const inherited = flag.env === undefined ? undefined : env[flag.env];
  if (inherited) return reading(String(flag.env), () => parse(inherited));
  const { default: fallback } = flag;
  return fallback === undefined ? undefined : reading(`--${name}`, () => parse(fallback));
}

/** Runs a parser; the rule it names becomes exit 2, with the place where the value was said. */
export function reading<T>(where: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Invalid) throw new Failure('usage', `${where}: ${error.message}`, { cause: error });
    throw error;
  }
}

function countWords({ words: wanted }: Verb, words: readonly string[]): void {
  const least = wanted.filter((word) => !word.optional).length;
  const most = wanted.some((word) => word.many) ? Number.POSITIVE_INFINITY : wanted.length;
  if (words.length < least) throw new Failure('usage', `${wanted[words.length]?.name ?? 'a word'} is missing`);
  if (words.length > most) throw new Failure('usage', `${JSON.stringify(words[most])} is one word too many`);
}
