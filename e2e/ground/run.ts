import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { killSession } from './session.ts';

export const root = join(import.meta.dirname, '../..');

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** The id of the session the program ran in, which is also its process id. */
  session: number;
}

export interface RunOptions {
  cwd?: string;
  /** Added to PATH (with bin/ first), LC_ALL=C, NO_COLOR=1, HOME and TMPDIR; nothing else is inherited. */
  env?: Record<string, string>;
  stdin?: string;
  /** Milliseconds until every process of the session is killed; a minute unless given. */
  timeout?: number;
  /** Kills every process of the session when it is aborted. */
  signal?: AbortSignal;
}

/** What every program the harness runs finds in its environment. */
export const environment = (added: RunOptions['env'] = {}): NodeJS.ProcessEnv => ({
  PATH: `${root}/bin:${process.env.PATH}:/usr/sbin:/sbin`,
  LC_ALL: 'C',
  NO_COLOR: '1',
  HOME: process.env.HOME,
  TMPDIR: tmpdir(),
  ...added,
});

/** The program a first word names: an executable of ours in bin/, otherwise the word itself, looked up in PATH. */
export const executable = (word: string): string => {
  const ours = join(root, 'bin', word);
  return basename(word) === word && existsSync(ours) ? ours : word;
};

/** A command, all it printed and how it ended, for messages. */
export const told = (argv: readonly string[], { code, signal, stdout, stderr }: Outcome): string =>
  `$ ${argv.join(' ')}\n${stdout}${stderr}(${signal ?? `exit ${code}`})`;

/** A session of its own, so that all it starts can be found; killed with us, so that a killed run leaves nothing running. */
const start = ([word = '', ...words]: readonly string[], { cwd, env }: RunOptions) =>
  spawn('setpriv', ['--pdeathsig', 'KILL', '--', executable(word), ...words], {
    cwd,
    env: environment(env),
    detached: true,
  });

/** Runs a program to its end. Rejects when it cannot be started or is not done in time; a missing program is exit 127. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { stdin = '', timeout = 60_000, signal } = options;
  const child = start(argv, options);
  const session = child.pid ?? 0;
  const ended = new Promise<Pick<Outcome, 'code' | 'signal'>>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve({ code, signal }));
  });
  child.stdin.on('error', () => {}).end(stdin);
  const kill = () => killSession(session);
  signal?.addEventListener('abort', kill);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killSession(session);
  }, timeout);
  const [end, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', kill);
  const outcome = { ...end, stdout, stderr, session };
  if (late) throw new Error(`not done after ${timeout} ms: ${told(argv, outcome)}`);
  return outcome;
}

/** Runs a program that must end with 0 and gives its stdout; throws with all it said otherwise. */
export async function succeed(argv: readonly string[], options?: RunOptions): Promise<string> {
  const outcome = await run(argv, options);
  if (outcome.code !== 0) throw new Error(told(argv, outcome));
  return outcome.stdout;
}
