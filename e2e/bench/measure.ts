import { spawnSync } from 'node:child_process';
import { cpus, release } from 'node:os';
import { environment, executable, told } from '../ground/run.ts';
import type { Bench, Side, Sides } from './bench.ts';
import { median, paired, type Ratio } from './figures.ts';

interface Measured {
  label: string;
  /** Milliseconds, one for each round. */
  ms: number[];
  median: number;
  /** Peak memory in MiB of the largest single process of the run, the tool or a program it started. */
  memory: number;
}

export interface Result {
  name: string;
  reach: number;
  least: number;
  ratio: Ratio;
  ours: Measured;
  theirs: Measured;
  also: Record<string, number>;
  machine: string;
}

/** Runs a side once and gives its stdout, its stderr and the wall time from before the spawn until after the wait. */
function once(argv: readonly string[], stdin = ''): { stdout: string; stderr: string; ms: number } {
  const [word = '', ...words] = argv;
  const options = { env: environment(), input: stdin, encoding: 'utf8', maxBuffer: 2 ** 30 } as const;
  const began = performance.now();
  const { status, signal, stdout, stderr, error } = spawnSync(executable(word), words, options);
  const ms = performance.now() - began;
  if (error) throw error;
  if (status !== 0) throw new Error(told(argv, { code: status, signal, stdout, stderr, session: 0 }));
  return { stdout, stderr, ms };
}

/**
 * Peak memory by time(1): the kernel's ru_maxrss of wait4(2), which covers the process and every descendant that was
 * waited for, so the larger of a tool and the programs it runs. In a run of its own, so that it disturbs no timing.
 */
async function memoryOf(side: Side): Promise<number> {
  await side.prepare?.();
  const [word = '', ...words] = side.argv;
  const { stderr } = once(['/usr/bin/time', '-f', '%M', '--', executable(word), ...words], side.stdin);
  return Number(stderr.trimEnd().split('\n').at(-1)) / 1024;
}

async function timeOf(side: Side): Promise<number> {
  await side.prepare?.();
  const { stdout, ms } = once(side.argv, side.stdin);
  return side.told?.(stdout) ?? ms;
}

const measured = (side: Side, memory: number): Measured => ({ label: side.label, ms: [], median: 0, memory });

/** The rounds: in turns one side first, so that neither always finds what the other left in the caches. */
async function race({ ours, theirs }: Sides, rounds: number): Promise<[Measured, Measured]> {
  const results = [measured(ours, await memoryOf(ours)), measured(theirs, await memoryOf(theirs))] as const;
  for (let round = 0; round < rounds; round++) {
    for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
      results[at as 0 | 1].ms.push(await timeOf(at === 0 ? ours : theirs));
    }
  }
  const [first, second] = results;
  return [
    { ...first, median: median(first.ms) },
    { ...second, median: median(second.ms) },
  ];
}

const machine = `Node ${process.versions.node}, Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim()}`;

/** Runs a bench in a folder: one run of each side that warms up and measures memory, then the timed rounds. */
export async function measure({ name, rounds, reach, least = 0, setup }: Bench, dir: string): Promise<Result> {
  const sides = await setup(dir);
  try {
    const [ours, theirs] = await race(sides, rounds);
    const also = (await sides.also?.()) ?? {};
    return { name, reach, least, ratio: paired(ours.ms, theirs.ms), ours, theirs, also, machine };
  } finally {
    await sides.end?.();
  }
}
