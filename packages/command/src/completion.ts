import { Failure } from '@platter/host/failure';
import type { About, Verbs } from './main.ts';
import { flagsOf } from './verb.ts';

type Table = { verb: string; does: string; flags: string[] }[];

/** Prints the completion script of bash, zsh or fish: verbs, then the verb's flags, then files. */
export async function printCompletion(about: About, verbs: Verbs, argv: readonly string[]): Promise<void> {
  const script = scripts[argv[0] as keyof typeof scripts];
  if (script === undefined || argv.length !== 1)
    throw new Failure('usage', 'completion wants one word: bash, zsh or fish', {
      hint: `${about.name} completion bash > /etc/bash_completion.d/${about.name}`,
    });
  process.stdout.write(script(about.name, await tableOf(verbs)));
}

async function tableOf(verbs: Verbs): Promise<Table> {
  const rows = Object.entries(verbs).map(async ([verb, [does, load]]) => {
    const flags = Object.keys(flagsOf((await load()).default)).map((flag) => `--${flag}`);
    return { verb, does, flags };
  });
  return Promise.all(rows);
}

const functionName = (tool: string) => `_${tool.replaceAll('-', '_')}`;
const cases = (table: Table, line: (words: string) => string) =>
  table.map(({ verb, flags }) => `    ${verb}) ${line(flags.join(' '))} ;;`).join('\n');

function bash(tool: string, table: Table): string {
  const verbs = table.map(({ verb }) => verb).join(' ');
  return `${functionName(tool)}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} words=
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W '${verbs} completion --help --version' -- "$cur")); return; fi
  case \${COMP_WORDS[1]} in
${cases(table, (words) => `words='${words}'`)}
  esac
  case $cur in -*) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;; *) COMPREPLY=($(compgen -f -- "$cur")) ;; esac
}
complete -o filenames -F ${functionName(tool)} ${tool}
`;
}

function zsh(tool: string, table: Table): string {
  const verbs = table.map(({ verb, does }) => `    '${verb}:${does.replaceAll("'", "'\\''").replaceAll(':', '\\:')}'`);
  return `#compdef ${tool}
${functionName(tool)}() {
  local -a verbs=(
${verbs.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe verb verbs; return; fi
  case $words[2] in
${cases(table, (words) => `compadd -- ${words}`)}
  esac
  _files
}
compdef ${functionName(tool)} ${tool}
`;
}

function fish(tool: string, table: Table): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "\\'")}'`;
  const verbs = table.map(
    ({ verb, does }) => `complete -c ${tool} -n __fish_use_subcommand -f -a ${verb} -d ${quoted(does)}`,
  );
  const flags = table.flatMap(({ verb, flags: own }) =>
    own.map((flag) => `complete -c ${tool} -n '__fish_seen_subcommand_from ${verb}' -l ${flag.slice(2)}`),
  );
  return `${[...verbs, ...flags].join('\n')}\n`;
}

const scripts = { bash, zsh, fish };
