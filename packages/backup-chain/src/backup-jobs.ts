import { Failure } from '@platter/host/failure';
import { cancelJob, dismissJob, jobName, removeLiveBitmap, removeNode, targetName } from './qemu-backup.ts';
import { type Job, jobsOf, type Monitor, nodesOf } from './qemu-monitor.ts';

const interval = 200;
/** Looks without any progress, ten minutes of them, after which a job is given up. */
const patience = (10 * 60 * 1000) / interval;

const isOver = ({ status }: Job): boolean => status === 'concluded';

/** Waits until every one of these jobs has ended or is gone; touches nothing meanwhile, for a node in use may not be. */
export async function ended(monitor: Monitor, ids: readonly string[], report?: (done: number) => void): Promise<Job[]> {
  let [before, idle] = [-1, 0];
  for (let after = 0; ; after = interval) {
    const jobs = (await jobsOf(monitor, after)).filter(({ id }) => ids.includes(id));
    if (jobs.every(isOver)) return jobs;
    const now = jobs.reduce((sum, { progress }) => sum + progress, 0);
    idle = now === before ? idle + 1 : 0;
    before = now;
    report?.(now);
    if (idle >= patience) throw new Failure('failed', 'QEMU made no progress for ten minutes');
  }
}

/** What a run makes in a running QEMU for one disk. */
export interface Traces {
  disk: string;
  node: string;
  /** Whether a bitmap of the node is to go. */
  isSpent(name: string): boolean;
}

async function clearJobs(monitor: Monitor, disks: readonly Traces[]): Promise<void> {
  const ids = disks.map(({ disk }) => jobName(disk));
  const there = (await jobsOf(monitor)).filter(({ id }) => ids.includes(id));
  for (const job of there) if (!isOver(job)) await cancelJob(monitor, job.id);
  if (monitor.host.dry) return;
  for (const { id } of await ended(monitor, ids)) await dismissJob(monitor, id);
}

/** Takes jobs, targets and bitmaps of ours away where they still are. */
export async function clear(monitor: Monitor, disks: readonly Traces[]): Promise<void> {
  await clearJobs(monitor, disks);
  const nodes = await nodesOf(monitor);
  for (const { disk, node, isSpent } of disks) {
    if (nodes.some(({ name }) => name === targetName(disk))) await removeNode(monitor, targetName(disk));
    const bitmaps = nodes.find(({ name }) => name === node)?.bitmaps ?? [];
    for (const { name } of bitmaps) if (isSpent(name)) await removeLiveBitmap(monitor, node, name);
  }
}
