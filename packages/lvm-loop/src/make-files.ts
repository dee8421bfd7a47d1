import { Failure, Interrupted } from '@platter/host/failure';
import { Undo } from '@platter/host/undo';
import { createVg, extendVg } from './commit.ts';
import { draft, sharedOf } from './draft.ts';
import type { Served } from './group.ts';
import { type Image, privateDirectory } from './images.ts';
import { checkTogether, type Job, makeDirectories } from './jobs.ts';
import { perform } from './perform.ts';
import { planFile } from './plan.ts';
import type { Session } from './session.ts';
import { defaultExtent, type GroupSpec } from './spec.ts';
import { stateOf } from './state.ts';
import type { Target } from './targets.ts';
import type { Work } from './work.ts';

export interface Making {
  images: readonly Image[];
  served: Served;
  targets: readonly Target[];
}

/** Every file's work, how many of them had anything to do, and what failed. */
export interface Made {
  works: Work[];
  asked: number;
  failures: Failure[];
}

/** Makes and grows files up to the one LVM command that takes all new ones into the VG. */
export async function makeFiles(session: Session, spec: GroupSpec, making: Making): Promise<Made> {
  const jobs = jobsOf(session, spec, making);
  const busy = jobs.filter(({ plan }) => plan.steps.length > 0 || plan.joins);
  const made = { works: jobs.map(({ work }) => work), asked: busy.length };
  if (making.served.vg !== null) return { ...made, failures: await eachAlone(session, busy) };
  await strictly(session, spec, busy);
  return { ...made, failures: [] };
}

function jobsOf(session: Session, spec: GroupSpec, { images, served, targets }: Making): Job[] {
  const shared = sharedOf(session, spec, targets.find(({ image }) => image !== null)?.image?.sidecar);
  const works: Work[] = [];
  const directory = privateDirectory([...images, ...targets].map(({ path }) => path));
  const together = served.vg === null ? new Undo() : null;
  const peers = () => [...new Set([...served.devices.values(), ...works.flatMap(({ device }) => device ?? [])])];
  return targets.map((target) => {
    const { image, path, dev, filesystem } = target;
    const sidecar = image?.sidecar ?? draft(session, spec, { target, shared });
    const device = served.devices.get(path) ?? loopOf(image);
    const undo = together ?? new Undo();
    const work: Work = { path, dev, filesystem, sidecar, device, directory, peers, reserve: spec.reserve, undo };
    works.push(work);
    const pv = served.facts.pvs.find(({ name }) => name === device) ?? null;
    const wanted = { spec: target.spec, image, stray: target.stray, pv, directIO: sidecar.directIO };
    return { target, work, plan: planFile(wanted, served.vg) };
  });
}

/** The loop that a crashed run left on an image that is no PV yet. */
function loopOf(image: Image | null): string | null {
  const state = image === null ? null : stateOf(image);
  return state?.is === 'attached' && !state.pending ? state.loop.name : null;
}

/** A new group is whole or not at all: the first failure takes everything back. */
async function strictly(session: Session, spec: GroupSpec, jobs: readonly Job[]): Promise<void> {
  const undo = jobs[0]?.work.undo ?? new Undo();
  await undo.guard(async () => {
    await checkTogether(session, jobs);
    await makeDirectories(session, jobs, undo);
    for (const { work, plan } of jobs) await perform(session, work, plan);
    const commit = commitOf(jobs.map(({ work }) => work));
    await createVg(session, commit, spec.extentSize ?? defaultExtent);
    undo.keep();
  });
}

function commitOf(works: readonly Work[]) {
  const devices = works.map(({ device }) => device as string);
  const [first] = works as [Work];
  return { scope: { devices: first.peers(), directory: first.directory }, devices, sidecar: first.sidecar };
}

/** In a group that is there each file stands alone: what fails is taken back, the others join. */
async function eachAlone(session: Session, jobs: readonly Job[]): Promise<Failure[]> {
  const failures: Failure[] = [];
  const joining: Job[] = [];
  for (const job of jobs) {
    const failure = await caught(() => alone(session, job));
    if (failure !== null) failures.push(failure);
    else if (job.plan.joins) joining.push(job);
  }
  if (joining.length === 0) return failures;
  const failure = await caught(() =>
    together(joining, () => extendVg(session, commitOf(joining.map(({ work }) => work)))),
  );
  return failure === null ? failures : [...failures, failure];
}

async function alone(session: Session, job: Job): Promise<void> {
  const { work, plan } = job;
  await work.undo.guard(async () => {
    await checkTogether(session, [job]);
    await makeDirectories(session, [job], work.undo);
    await perform(session, work, plan);
  });
}

/** Does what several files need at once; when it fails each of them is taken back. */
async function together(jobs: readonly Job[], work: () => Promise<void>): Promise<void> {
  const [first, ...others] = jobs;
  if (first === undefined) return work();
  return first.work.undo.guard(() => together(others, work));
}

async function caught(work: () => Promise<void>): Promise<Failure | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
    return error;
  }
}
