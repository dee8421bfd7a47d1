import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter } from 'node:path';
import { execa, type Options } from 'execa';
import type { Output, Program } from './door.ts';
import { Failure } from './failure.ts';
import type { Interruption } from './interruption.ts';
import { packageOf } from './packages.ts';

/** cron, su and slim images leave these out. */
const path = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);

/** Runs a program to its end: no shell, `LC_ALL=C`, both pipes drained; it dies with us, also by SIGKILL. */
export async function execute(program: Program, interruption: Interruption): Promise<Output> {
  interruption.deliver();
  const words = ['--pdeathsig', 'KILL', '--', program.program, ...program.args];
  const ends = [interruption.cancels, program.until].filter((signal) => signal !== undefined);
  const child = execa('setpriv', words, options(program, ends));
  const timer = watch(child as Child, program);
  const result = await child.finally(() => clearInterval(timer));
  interruption.deliver();
  return judge(program, result as Ended);
}

function options(program: Program, ends: AbortSignal[]): Options {
  const { input, cwd, stall, until, timeout = 30_000 } = program;
  return {
    reject: false,
    buffer: { stdout: program.watch === undefined },
    stripFinalNewline: false,
    maxBuffer: 1 << 28,
    env: { LC_ALL: 'C', PATH: path, ...program.env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...extra(program)] as Options['stdio'],
    forceKillAfterDelay: 5000,
    ...(input === undefined ? {} : { input }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(stall === undefined && until === undefined ? { timeout: Math.ceil(timeout) } : {}),
    ...(ends.length === 0 ? {} : { cancelSignal: AbortSignal.any(ends) }),
  } as Options;
}

function extra(program: Program): (number | 'pipe')[] {
  return program.report ? ['pipe'] : [...(program.inherit ?? [])];
}

type Child = { pid?: number; stdout: NodeJS.ReadableStream | null; kill(signal: 'SIGKILL'): boolean };

/** A stall is looked for so many times in its length. */
const looks = 4;

/** Feeds what the program prints to its watcher and ends it when it stalls; gives the timer to clear. */
function watch(child: Child, { watch: see, stall }: Program): NodeJS.Timeout | undefined {
  let [idle, moved] = [0, ''];
  child.stdout?.on('data', (chunk: Buffer) => {
    idle = 0;
    if (see?.(chunk.toString()) === false) child.kill('SIGKILL');
  });
  const look = () => {
    const now = transferred(child.pid);
    idle = now === moved ? idle + 1 : 0;
    moved = now;
    if (idle >= looks) child.kill('SIGKILL');
  };
  return stall === undefined ? undefined : setInterval(look, stall / looks);
}

/** How many bytes a process has read and written by now, as proc(5) tells it: cp prints nothing, and holes need no writes. */
function transferred(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/io`, 'latin1');
  } catch {
    return '';
  }
}

interface Ended {
  exitCode?: number;
  code?: string;
  stdout?: unknown;
  stderr?: unknown;
  stdio?: unknown;
  cause?: unknown;
}

/** What `setpriv`, or `prlimit` behind it, says of a program that is not there. */
const failedToExecute = /^(?:setpriv|prlimit): failed to execute ([^:]+):/;

/** A program that is not there is answered with 127; `setpriv` is itself the missing one when execa says ENOENT. */
function judge(program: Program, ended: Ended): Output {
  const stderr = String(ended.stderr ?? '');
  const absent = ended.exitCode === 127 ? failedToExecute.exec(stderr)?.[1] : undefined;
  if (absent !== undefined || ended.code === 'ENOENT') {
    const name = absent ?? 'setpriv';
    throw new Failure('unsupported', `${name} is not installed`, { hint: `apt-get install ${packageOf(name)}` });
  }
  if (ended.code !== undefined && ended.exitCode === undefined && constants.errno[ended.code as 'EIO'] !== undefined)
    throw new Failure('failed', `could not run ${program.program}: ${ended.code}`, { cause: ended.cause });
  const report = program.report ? (ended.stdio as unknown[])[3] : '';
  return { code: ended.exitCode ?? null, stdout: String(ended.stdout ?? ''), stderr, report: String(report ?? '') };
}
