import { cac } from 'cac';
import { exits } from './exits.ts';
import type { Flag } from './flag.ts';
import type { About, Verbs } from './main.ts';
import { flagsOf, type Verb, type Word } from './verb.ts';

/** The words of a verb as its usage shows them; cac reads the brackets. */
export function usage(name: string, { words, rest }: Verb): string {
  return [name, ...words.map(shape), ...(rest === undefined ? [] : [`-- ${rest}`])].join(' ');
}

function shape({ name, optional, many }: Word): string {
  const inner = many ? `...${name}` : name;
  return optional ? `[${inner}]` : `<${inner}>`;
}

function table(about: About) {
  const cli = cac(about.name);
  cli.version(about.version, '-V, --version');
  return cli;
}

/** Prints the tool's verbs. */
export function printTool(about: About, verbs: Verbs): void {
  const cli = table(about);
  for (const [name, [does]] of Object.entries(verbs)) cli.command(name, does);
  cli.command('completion', 'Print the completion script of a shell: bash, zsh or fish');
  cli.help((sections) => [
    { body: `${about.name} ${about.version}: ${about.description}` },
    { title: 'Usage', body: `  ${about.name} <verb> [words] [flags]` },
    ...sections.filter(({ title }) => title === 'Commands').map(({ body }) => ({ title: 'Verbs', body })),
    { body: `Run ${about.name} <verb> --help for a verb's words, flags, examples and exit codes.` },
  ]);
  cli.outputHelp();
}

/** Prints one verb: usage, flags, three examples, and the exit codes it can give. */
export function printVerb(about: About, name: string, verb: Verb): void {
  const cli = table(about);
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

/** Without trailing blanks and without the line cac adds for its own --help. */
const trimmed = (body: string) => body.replace(/ +$/gm, '').replace(/\n.*Display this message$/, '');

function spelled(name: string, { short, value }: Flag): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
}

function described({ help, many, env }: Flag): string {
  return [help, ...(many ? ['(repeatable)'] : []), ...(env === undefined ? [] : [`[${env}]`])].join(' ');
}
