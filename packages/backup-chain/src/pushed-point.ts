import type { Call } from '@platter/command/call';
import type { Undo } from '@platter/host/undo';
import type { Captured } from './capture.ts';
import type { DraftPlan, Finished } from './draft.ts';
import { commitPoint } from './drafting.ts';
import type { DiskPaths } from './layout.ts';
import { type Pushing, standingOf } from './live.ts';
import type { Point } from './manifest-kinds.ts';
import { unmarked } from './marked.ts';
import { newPoint } from './point-manifest.ts';
import { discard } from './publish.ts';
import { type Owners, takeBack } from './push-target.ts';
import { settlePushed } from './pushed-file.ts';
import type { Monitor } from './qemu-monitor.ts';
import { readBack } from './read-back.ts';
import { provenance, type Run } from './run.ts';
import { contentOf, type Stack } from './stack.ts';
import { linksOf, openParent, parentPoint, refuseRot } from './standing.ts';

/** A disk whose target is made. */
export interface Placed extends Pushing {
  uid: string;
  paths: DiskPaths;
  plan: DraftPlan;
}

/** One run over the monitor of a running QEMU. */
export interface Scene {
  call: Call<unknown>;
  monitor: Monitor;
  run: Run;
  owners: Owners | null;
}

function pointOf({ call, run }: Scene, one: Placed, made: { contentSha256: string; finished: Finished }): Point {
  const { decision, node, uid, wish } = one;
  const nothing = { ref: null, ino: '0', birthNs: '0', mtimeNs: '0', sourceRoot: null };
  const source = { path: wish.path, format: node.format, size: node.size, ...nothing };
  const capture = provenance(call, run, { decision, source });
  const { facts, id, taken } = run;
  const place = { facts, disk: wish.disk, uid, parent: parentPoint(standingOf(one)), taken };
  const own = { id, type: decision.type, virtualSize: node.size, capture, labels: run.wish.labels };
  return newPoint({ ...own, ...place, ...made });
}

/** The chain a push stands on, its content proven; null for a full. */
async function provenParent({ call, run }: Scene, one: Placed): Promise<Stack | null> {
  const chain = await openParent(call.host, run.facts, standingOf(one));
  if (chain !== null) refuseRot(standingOf(one), await contentOf(chain));
  return chain;
}

/** Makes a point of a pushed file (spec 3.2, steps 4 to 7); what holds no difference makes none. */
export async function settle(scene: Scene, one: Placed, undo: Undo): Promise<Captured> {
  const { host } = scene.call;
  const { plan, parent, decision, node, paths } = one;
  await takeBack(host, plan, scene.owners);
  const chain = await provenParent(scene, one);
  const { base } = decision;
  const wanted = base && parent && chain ? await unmarked(base, parent.links, chain) : [];
  const finished = await settlePushed(host, plan, wanted);
  const contentSha256 = await readBack(host, plan, chain);
  const facts = { bytesRead: finished.size, engineReason: null };
  const [before, links] = [parentPoint(standingOf(one)), linksOf(standingOf(one))];
  if (before?.contentSha256 === contentSha256 && before.virtualSize === node.size) {
    for (const path of [plan.data, plan.digests]) await discard(host, path);
    return { outcome: 'unchanged', point: before, links: links - 1, ...facts };
  }
  const point = pointOf(scene, one, { contentSha256, finished });
  await commitPoint(host, { paths, plan, point }, undo);
  return { outcome: 'created', point, links, ...facts };
}
