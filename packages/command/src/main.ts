import { Failure } from '@platter/host/failure';
import type { Verb } from './verb.ts';

/** Of a tool's package.json; the scope of its name is not shown. */
export interface About {
  name: string;
  version: string;
  description: string;
}
/** A tool's verbs in the order of its help: what it does in one line, and its file. */
export type Verbs = Record<string, readonly [does: string, load: () => Promise<{ default: Verb }>]>;

const oldest = [22, 19] as const;

/** Runs one tool on this process: reads argv, runs the verb, and leaves through `process.exitCode` or the signal that came. */
export async function main(manifest: About, verbs: Verbs): Promise<void> {
  const about = { ...manifest, name: manifest.name.replace(/^@.*\//, '') };
  try {
    refuseOldNode();
    await route(about, verbs, verbFirst(verbs, process.argv.slice(2)));
  } catch (error) {
    const { asFailure, exitCode, explain } = await import('./report.ts');
    const failure = asFailure(error);
    process.stderr.write(`${explain(about.name, failure)}\n`);
    process.exitCode = exitCode(failure);
  }
}

function refuseOldNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new Failure('unsupported', `Node ${process.versions.node} is too old`, {
    hint: 'use Node 22.19 or newer (24 LTS)',
  });
}

async function route(about: About, verbs: Verbs, argv: readonly string[]): Promise<void> {
  const [first = '', ...rest] = argv;
  if (first === '--version' || first === '-V') return void process.stdout.write(`${about.name} ${about.version}\n`);
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0))
    return (await import('./tool-help.ts')).printTool(about, verbs);
  if (first === 'completion') return (await import('./completion.ts')).printCompletion(about, verbs, rest);
  const [name, load] = find(about, verbs, first === 'help' ? (rest[0] ?? '') : first);
  const { default: verb } = await load();
  if (first === 'help' || asksHelp(rest)) {
    const { table } = await import('./tool-help.ts');
    return (await import('./verb-help.ts')).printVerb(table(about), about, [name, verb]);
  }
  await (await import('./perform.ts')).perform({ about, name, verb, argv: rest });
}

/** Flags may stand before the verb, `tool --pool DIR list`: it is the first word that is one. */
function verbFirst(verbs: Verbs, argv: readonly string[]): readonly string[] {
  const at = argv[0]?.startsWith('--') ? argv.findIndex((word) => word === 'rm' || Object.hasOwn(verbs, word)) : -1;
  return at < 0 ? argv : [...argv.slice(at, at + 1), ...argv.slice(0, at), ...argv.slice(at + 1)];
}

function asksHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.includes('--help') || words.includes('-h');
}

function find(about: About, verbs: Verbs, said: string): [string, () => Promise<{ default: Verb }>] {
  const name = said === 'rm' && !('rm' in verbs) ? 'remove' : said;
  const entry = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (entry !== undefined) return [name, entry[1]];
  const hint = `${about.name} --help; its verbs are ${Object.keys(verbs).join(', ')}`;
  throw new Failure('usage', said === '' ? 'which verb?' : `there is no verb ${JSON.stringify(said)}`, { hint });
}
