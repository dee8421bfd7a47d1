import { dirname } from 'node:path';
import { mkdir, removeDir, sync } from '@platter/host/changes';
import { errno } from '@platter/host/failure';
import type { Undo } from '@platter/host/undo';
import { checkRoom } from './create.ts';
import type { FilePlan } from './plan.ts';
import type { Session } from './session.ts';
import { make } from './steps.ts';
import type { Target } from './targets.ts';
import type { Work } from './work.ts';

/** A wanted file with its plan. */
export interface Job {
  target: Target;
  work: Work;
  plan: FilePlan;
}

/** Room for all of them, before the first block is taken; files on one filesystem are counted together. */
export async function checkTogether(session: Session, jobs: readonly Job[]): Promise<void> {
  const needs = new Map<bigint, { directory: string; need: number }>();
  for (const { target, work, plan } of jobs) {
    if (work.sidecar.allocation === 'sparse') continue;
    const { need } = needs.get(work.dev) ?? { need: 0 };
    const directory = dirname(target.missing[0] ?? work.path);
    needs.set(work.dev, { directory, need: need + needOf(target, plan) });
  }
  for (const { directory, need } of needs.values())
    await checkRoom(session, { directory, need, reserve: (jobs[0] as Job).work.reserve });
}

function needOf({ image }: Target, { steps }: FilePlan): number {
  return steps.reduce((sum, step) => {
    if (step.do !== 'allocate' && step.do !== 'lengthen') return sum;
    const there = step.do === 'allocate' ? ((image?.file ?? image?.temp)?.allocated ?? 0) : step.from;
    return sum + Math.max(0, step.to - there);
  }, 0);
}

/** The directories of new files and the private one of LVM; what is empty afterwards is taken back. */
export async function makeDirectories(session: Session, jobs: readonly Job[], undo: Undo): Promise<void> {
  const own = jobs.map(({ work }) => work.directory);
  for (const path of new Set([...jobs.flatMap(({ target }) => target.missing), ...own])) {
    if ((await session.host.query({ op: 'stat', path, follow: false })) !== null) continue;
    const deed = {
      step: 'mkdir',
      object: path,
      reason: own.includes(path) ? "for LVM's archive and backup" : 'for the images',
    };
    undo.add(path, () => session.host.change(removeDir(path)).catch(unlessUsed));
    await make(session, deed, [mkdir(path, 0o700), sync(dirname(path))]);
  }
}

function unlessUsed(error: unknown): void {
  if (errno(error) !== 'ENOTEMPTY') throw error;
}
