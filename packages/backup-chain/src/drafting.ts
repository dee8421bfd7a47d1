import { rename, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { lstat } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import { Draft, type DraftPlan } from './draft.ts';
import { type DiskPaths, dataName, digestName, pointName, temporary } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { discard, publish } from './publish.ts';

/** The names under which the files of a point grow, after `merges` merges into it. */
export const growing = ({ data }: DiskPaths, id: string, merges = 0): Pick<DraftPlan, 'data' | 'digests'> => ({
  data: `${data}/${temporary}${dataName(id, merges)}`,
  digests: `${data}/${temporary}${digestName(id, merges)}`,
});

/** Files of a point while they grow under temporary names. */
interface Growing {
  plan: Pick<DraftPlan, 'data' | 'digests'>;
  close(): void;
}

/** Runs `work` over files that grow; when it fails, nothing of them stays. */
export async function growingWhole<T>(
  host: Host,
  { plan, close }: Growing,
  work: (undo: Undo) => Promise<T>,
): Promise<T> {
  const undo = new Undo();
  undo.add('remove the temporary files', async () => {
    close();
    for (const path of [plan.data, plan.digests]) await discard(host, path);
  });
  return undo.guard(() => work(undo));
}

/** Runs `work` with a draft; when it fails, nothing of the draft stays. */
export async function drafting<T>(
  host: Host,
  plan: DraftPlan,
  work: (draft: Draft, undo: Undo) => Promise<T>,
): Promise<T> {
  const draft = new Draft(host, plan);
  return growingWhole(host, { plan, close: () => draft.close() }, (undo) => work(draft, undo));
}

export interface Placing {
  paths: DiskPaths;
  plan: { data: string; digests: string };
  point: Point;
}

/** Gives the finished files of a point their names, durably; no manifest names them yet. */
export async function place(host: Host, { paths, plan, point }: Placing): Promise<void> {
  await host.change(rename(plan.data, `${paths.data}/${point.data.file}`));
  await host.change(rename(plan.digests, `${paths.data}/${point.digests.file}`));
  await host.change(sync(paths.data));
}

/** Puts the finished files of a new point in place and links its manifest: the commit. Until then an error takes them away. */
export async function commitPoint(host: Host, placing: Placing, undo: Undo): Promise<void> {
  const { paths, point } = placing;
  const name = pointName(point.sequence, point.id);
  undo.add('remove the unpublished files', async () => {
    if ((await host.query(lstat(`${paths.points}/${name}`))) !== null) return;
    for (const file of [point.data.file, point.digests.file]) await discard(host, `${paths.data}/${file}`);
  });
  await place(host, placing);
  await publish(host, [paths.points, name], point);
}
