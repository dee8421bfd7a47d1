/** A command of a README and what it shows below it. */
export interface Exchange {
  command: string;
  shown: string;
}

const fence = /^```console( root)?\n(.*?)^```$/gms;

/** The exchanges of the ```console blocks of a page; those of ```console root only as root. A line that begins with `> ` continues its command. */
export function exchanges(page: string, asRoot: boolean): Exchange[] {
  const found: Exchange[] = [];
  for (const [, root, block = ''] of page.matchAll(fence)) {
    if (root && !asRoot) continue;
    for (const line of block.split('\n').slice(0, -1)) {
      const last = found.at(-1);
      if (line.startsWith('$ ')) found.push({ command: line.slice(2), shown: '' });
      else if (last && last.shown === '' && line.startsWith('> ')) last.command += `\n${line.slice(2)}`;
      else if (last) last.shown += `${line}\n`;
      else throw new Error(`a console block begins with ${JSON.stringify(line)} and not with a command`);
    }
  }
  return found;
}

/** Ends the output of each command; no program prints it. */
const separator = '\x1e';

/** One shell for all commands, so that `cd` and variables last; both outputs are one, as on a terminal. */
export const script = (session: readonly Exchange[]): string =>
  `exec 2>&1\n${session.map(({ command }) => `${command}\nprintf '\\036'\n`).join('')}`;

/** What the shell printed, back at the commands it came from. */
export const replayed = (session: readonly Exchange[], stdout: string): Exchange[] => {
  const outputs = stdout.split(separator);
  return session.map(({ command }, at) => ({ command, shown: outputs[at] ?? '(not run)' }));
};

/** What differs between two runs that are the same; in this order. */
const scrubbers: readonly [RegExp, string][] = [
  [/\b\d{8}T\d{6}Z(-[a-z]+)?-[0-9a-f]{4}\b/g, 'POINT'],
  [/\b\d{8}T\d{6}Z\b/g, 'INSTANT'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'INSTANT'],
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, 'UUID'],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/g, 'HEX'],
  [/\/tmp\/[^/\s"',:]+/g, '/tmp/DIR'],
  [/\/dev\/loop\d+/g, '/dev/loopN'],
  [/\b(\d+h)?(\d+m)?\d+(\.\d+)?\s?(ms|us|s)\b/g, 'DURATION'],
  [/[ \t]+$/gm, ''],
  [/ {2,}/g, ' '],
];

const scrubbed = (text: string): string => scrubbers.reduce((result, [what, by]) => result.replace(what, by), text);

/** A session as a page shows it, without what varies. */
export const transcript = (session: readonly Exchange[]): string =>
  session.map(({ command, shown }) => `$ ${command}\n${scrubbed(shown).trimEnd()}\n`).join('');
