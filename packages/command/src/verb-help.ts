import type { CAC } from 'cac';
import { exits } from './exits.ts';
import type { Flag } from './flag.ts';
import type { About } from './main.ts';
import { flagsOf, type Verb, type Word } from './verb.ts';

/** The words of a verb as its usage shows them; cac reads the brackets. */
export function usage(name: string, { words, rest }: Verb): string {
  return [name, ...words.map(shape), ...(rest === undefined ? [] : [`-- ${rest}`])].join(' ');
}

function shape({ name, optional, many }: Word): string {
  const inner = many ? `...${name}` : name;
  return optional ? `[${inner}]` : `<${inner}>`;
}

/** Prints one verb: usage, flags, three examples, and the exit codes it can give. */
export function printVerb(cli: CAC, about: About, [name, verb]: readonly [string, Verb]): void {
  const command = cli.command(usage(name, verb), verb.about);
  for (const [flag, definition] of Object.entries(flagsOf(verb)))
    command.option(spelled(flag, definition), described(definition), { default: definition.default });
  cli.help((sections) => [
    { body: `${about.name} ${name}: ${verb.about}` },
    { title: 'Usage', body: `  ${about.name} ${usage(name, verb)} [flags]` },
    ...sections.filter(({ title }) => title === 'Options').map(({ body }) => ({ title: 'Flags', body: trimmed(body) })),
    { title: 'Examples', body: verb.examples.map(([line, does]) => `  ${line}\n      ${does}`).join('\n') },
    { title: 'Exit codes', body: verb.exits.map((code) => `  ${code}  ${exits[code]?.meaning}`).join('\n') },
  ]);
  cli.matchedCommand = command;
  cli.outputHelp();
}

/** Without trailing blanks, the line cac adds for its own --help, and the default it gives to whatever begins with no-. */
const trimmed = (body: string) =>
  body
    .replace(/^( *--no-.*) \(default: true\)$/gm, '$1')
    .replace(/ +$/gm, '')
    .replace(/\n.*Display this message$/, '');

function spelled(name: string, { short, value }: Flag): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
}

function described({ help, many, env }: Flag): string {
  return [help, ...(many ? ['(repeatable)'] : []), ...(env === undefined ? [] : [`[${env}]`])].join(' ');
}
