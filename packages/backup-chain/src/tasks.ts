import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { type Task, taskName } from './drilling.ts';
import { type Candidate, type Order, pick } from './picking.ts';
import { lockForReading } from './reading.ts';
import { drillsOf, readReceipts } from './receipts.ts';
import { listVms, openRepository, type Repo, readVm, type VmFacts } from './repository.ts';
import { pointsOf, resolve } from './resolving.ts';
import { rootOf } from './root.ts';
import { addresses } from './telling.ts';
import { inOrder, isHidden, setsInOrder } from './view.ts';

export interface TaskFlags {
  repo: string | undefined;
  wait: number;
  pick: Order | undefined;
  count: number;
}

/** The newest set that names a point. */
const setOf = (facts: VmFacts, disk: string, id: string): string | null =>
  setsInOrder(facts).findLast(({ members }) => members.some((one) => one.disk === disk && one.point === id))?.id ??
  null;

async function named(call: Call<TaskFlags>, repo: Repo): Promise<Task[]> {
  const tasks: Task[] = [];
  for (const name of await addresses(call)) {
    const found = await resolve(call.host, repo, name);
    const { facts } = found;
    for (const { disk, id } of pointsOf(found))
      tasks.push({ facts, disk, id, set: found.kind === 'set' ? found.set.id : setOf(facts, disk.name, id) });
  }
  return tasks;
}

/** The points of a VM that a set names. */
async function candidatesIn(call: Call<TaskFlags>, facts: VmFacts): Promise<(Candidate & { task: Task })[]> {
  const receipts = await readReceipts(call.host, facts.paths);
  return facts.disks.flatMap((disk) =>
    inOrder(disk).flatMap(({ id, capturedAt }) => {
      if (isHidden(facts, disk.name, id)) return [];
      const task = { facts, disk, id, set: setOf(facts, disk.name, id) };
      const drilledAt = drillsOf(receipts, disk.name, id).at(-1)?.at ?? null;
      return [{ name: taskName(task), capturedAt, drilledAt, task }];
    }),
  );
}

async function picked(call: Call<TaskFlags>, repo: Repo): Promise<Task[]> {
  const all: (Candidate & { task: Task })[] = [];
  for (const vm of await listVms(call.host, repo))
    all.push(...(await candidatesIn(call, await readVm(call.host, repo, vm))));
  if (all.length === 0) throw new Failure('refused', `there is nothing to drill in ${repo.root}`);
  return pick(all, call.flags.pick ?? 'stalest', call.flags.count).map(({ task }) => task);
}

/** The points to drill, each once, by their addresses; their VMs are locked for reading. */
export async function tasksOf(call: Call<TaskFlags>): Promise<Map<string, Task>> {
  const repo = await openRepository(call.host, rootOf(call));
  const tasks = call.words.length > 0 ? await named(call, repo) : await picked(call, repo);
  const vms = new Map(tasks.map(({ facts }) => [facts.paths.folder, facts.paths]));
  for (const folder of [...vms.keys()].sort())
    await lockForReading(call, vms.get(folder) as VmFacts['paths'], call.flags.wait);
  return new Map(tasks.map((task) => [taskName(task), task]));
}
