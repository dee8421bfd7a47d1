import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { standOn } from '../ground/filesystem.ts';
import { type Outcome, told } from '../ground/run.ts';
import { type CrashCase, type Disturbance, type Fault, faults } from './case.ts';
import { leaks, loosen, runAt, type Site, siteAt } from './site.ts';

/** What a case showed: how many changes the verb makes, and in how many runs one of them was disturbed. */
export interface Row {
  name: string;
  changes: number;
  runs: number;
  keeps: readonly string[];
}

/** More changes than any verb makes on test data: the number never ends when a tool takes kill@N for kill@M, M <= N. */
const most = 500;

const spoken = /space|full/i;

/** Why a disturbed run ended wrongly; undefined when it ended as the disturbance demands. */
export function wrongEnd({ fault }: Disturbance, outcome: Outcome, bestEffort?: RegExp): string | undefined {
  const { code, signal, stderr } = outcome;
  if (fault === 'int') return signal === 'SIGINT' || code === 130 || code === 0 ? undefined : 'did not end by SIGINT';
  if (signal) return `ended by ${signal}`;
  if (code === 0) return bestEffort?.test(stderr) ? undefined : 'said 0 though a change failed';
  if (stderr === '') return 'failed without a word';
  return fault === 'enospc' && !spoken.test(stderr) ? 'did not say that the disk is full' : undefined;
}

/** Runs one step of an attempt; its error says which step it was. */
async function step<T>(name: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Error(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function secondRun(site: Site, subject: CrashCase, at: Disturbance): Promise<void> {
  const { accepts = [0] } = subject;
  const outcome = await step('rerun', () => runAt(site, subject, { rerun: true }));
  if (!accepts.includes(outcome.code ?? -1)) {
    throw new Error(
      `rerun: not one of exit ${accepts}\n${told((subject.rerun ?? subject.command)(site.dir), outcome)}`,
    );
  }
  await step('after the rerun', () => subject.settled(site.dir, at));
}

/** Disturbs a run at one place and checks all that the case promises. False when the run ended before that place. */
async function disturbed(site: Site, subject: CrashCase, at: Disturbance): Promise<boolean> {
  const outcome = await step('run', () => runAt(site, subject, { fault: `${at.fault}@${at.n}` }));
  if (at.fault === 'kill' && outcome.signal !== 'SIGKILL') {
    if (outcome.code !== 0) throw new Error(`undisturbed run\n${told(subject.command(site.dir), outcome)}`);
    await step('after an undisturbed run', () => subject.settled(site.dir));
    return false;
  }
  const wrong = at.fault === 'kill' ? undefined : wrongEnd(at, outcome, subject.bestEffort);
  if (wrong) throw new Error(`${wrong}\n${told(subject.command(site.dir), outcome)}`);
  await step('after the disturbance', () => subject.interrupted(site.dir, at));
  await secondRun(site, subject, at);
  return true;
}

/** One attempt in a fresh folder, cleaned up in any case. */
async function attempt(ground: string, subject: CrashCase, at: Disturbance): Promise<boolean> {
  const path = join(ground, `${at.fault}${at.n}`);
  const site = await siteAt(path);
  try {
    await step('prepare', () => subject.prepare(site.dir, join(ground, 'm', 'd')));
    const happened = await disturbed(site, subject, at).finally(() => subject.cleanup?.(site.dir));
    const leaked = await leaks(site);
    if (leaked.length > 0) throw new Error(`left behind: ${leaked.join(', ')}`);
    return happened;
  } catch (cause) {
    await loosen(site);
    throw cause;
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

const each = (process.env.PLATTER_CRASH ?? '') === 'all' ? 1 : 3;

/**
 * The changes at which a run is disturbed in a way: at each one it is killed and fails. A full disk and SIGINT take the
 * ways that these showed to be right: each strikes at every third, another than the other; at all with PLATTER_CRASH=all.
 */
export function places(fault: Fault, changes: number): number[] {
  const step = fault === 'enospc' || fault === 'int' ? each : 1;
  const first = fault === 'int' ? Math.min(step, 2, changes) : 1;
  return Array.from({ length: Math.ceil((changes - first + 1) / step) }, (_, n) => first + n * step);
}

/** After so many errors of one case the rest is noise. */
const enough = 5;

/** Kills the verb before its 1st, 2nd, 3rd ... change until a run ends by itself, then disturbs it in the other ways. */
export async function matrix(subject: CrashCase): Promise<Row> {
  await using ground = await standOn(subject.needs);
  const material = await siteAt(join(ground.path, 'm'));
  await step(`${subject.name}: material`, () => subject.material?.(material.dir));
  const wrong: string[] = [];
  const report = () => new Error(`${subject.name}\n${wrong.join('\n')}`);
  const disturbs = async (fault: Fault, n: number): Promise<boolean> => {
    try {
      return await attempt(ground.path, subject, { fault, n });
    } catch (cause) {
      if (wrong.push(`${fault}@${n}: ${(cause as Error).message}`) === enough) throw report();
      return true;
    }
  };
  let changes = 0;
  while (changes < most && (await disturbs('kill', changes + 1))) changes++;
  if (changes === 0 || changes === most)
    throw new Error(`${subject.name}: ${changes} changes: does it obey PLATTER_FAULT?`);
  const others = faults.slice(1).flatMap((fault) => places(fault, changes).map((n) => ({ fault, n })));
  for (const { fault, n } of others) await disturbs(fault, n);
  if (wrong.length > 0) throw report();
  return { name: subject.name, changes, runs: changes + others.length, keeps: subject.keeps };
}
