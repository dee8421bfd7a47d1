import { cac } from 'cac';
import type { About, Verbs } from './main.ts';

/** cac's table of a tool. */
export function table(about: About) {
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
