import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { detach, loopsIn } from '../ground/loops.ts';
import { mountsIn, unmountIn } from '../ground/mounts.ts';
import { type Outcome, run } from '../ground/run.ts';
import { killSession, members } from '../ground/session.ts';
import type { CrashCase } from './case.ts';

/** Where one run of a case happens: its folder, and a TMPDIR that must end empty. */
export interface Site {
  dir: string;
  tmp: string;
}

/** Makes the folders of one run below the case's ground. */
export async function siteAt(path: string): Promise<Site> {
  const site = { dir: join(path, 'd'), tmp: join(path, 't') };
  await mkdir(site.dir, { recursive: true });
  await mkdir(site.tmp);
  return site;
}

/** What the verb left outside its folder's own files; one phrase each. */
export async function leaks({ dir, tmp }: Site): Promise<string[]> {
  const [attached, points, temporaries] = await Promise.all([loopsIn(dir), mountsIn(dir), readdir(tmp)]);
  return [
    ...attached.map(({ device, path }) => `${device} over ${path}`),
    ...points.map((point) => `a mount at ${point}`),
    ...temporaries.map((name) => `${name} in TMPDIR`),
  ];
}

/** Takes away what holds a folder that a failed attempt left in use. */
export async function loosen({ dir }: Site): Promise<void> {
  await detach(await loopsIn(dir));
  await unmountIn(dir);
}

const patience = 2_000;

/** The processes of a session that outlive its leader by two seconds; they are killed. */
async function left(session: number): Promise<string[]> {
  const until = performance.now() + patience;
  while (performance.now() < until && members(session).length > 0) await pause(10);
  const names = members(session).map(({ pid, name }) => `${name} (${pid})`);
  killSession(session);
  return names;
}

/** Runs one of a case's commands at a site, and sees that all it started is gone. */
export async function runAt(
  site: Site,
  subject: CrashCase,
  how: { rerun?: boolean; fault?: string },
): Promise<Outcome> {
  const { dir, tmp } = site;
  const argv = (how.rerun && subject.rerun?.(dir)) || subject.command(dir);
  const fault = how.fault ? { PLATTER_FAULT: how.fault } : {};
  const env = { HOME: dir, TMPDIR: tmp, ...subject.env?.(dir), ...fault };
  const outcome = await run(argv, { cwd: dir, env, stdin: subject.stdin?.(dir) ?? '' });
  const running = await left(outcome.session);
  if (running.length > 0) throw new Error(`left running: ${running.join(', ')}`);
  return outcome;
}
