import { dirname } from 'node:path';
import type { Call } from '@platter/command/call';
import { chmod, link, removeDir, sync } from '@platter/host/changes';
import { Failure } from '@platter/host/failure';
import { beside } from './beside.ts';
import type { Draft, DraftPlan } from './draft.ts';
import { drafting } from './drafting.ts';
import { type Exported, type ExportWish, refuseFull } from './exporting.ts';
import { discard } from './publish.ts';
import { namedNode } from './qemu-words.ts';
import { readBack } from './read-back.ts';
import { showPour } from './rehearsal.ts';
import type { Source } from './sources.ts';
import { summarise } from './summary.ts';
import { takeOver } from './taking-over.ts';

/** 5 unless the finished file reads back as it was written and holds the point's content. */
async function confirm({ host }: Call<unknown>, { stack, point, name }: Source, plan: DraftPlan): Promise<void> {
  if (host.dry) return showPour(host, { path: namedNode(stack), format: 'qcow2' }, { plan, parent: null });
  if ((await readBack(host, plan, null)) === point?.contentSha256) return;
  throw new Failure('corrupt', `what was exported of ${name} does not hold its content`);
}

async function write(call: Call<unknown>, source: Source, [draft, plan]: readonly [Draft, DraftPlan]): Promise<number> {
  const { stack, name } = source;
  const progress = call.progress(`export ${name}`, stack.virtualSize);
  await takeOver({ draft, upper: stack, whole: stack, report: progress.update });
  const { size } = await draft.finish();
  draft.close();
  await confirm(call, source, plan);
  progress.end();
  return size;
}

/** Writes a point as one image that stands alone. Linking it to its goal is the commit. */
export async function exportFlat(call: Call<{ wait: number }>, source: Source, wish: ExportWish): Promise<Exported> {
  const { host } = call;
  const { goal, workers } = wish;
  await refuseFull(host, dirname(goal), (await summarise(source.stack)).dataBytes);
  return beside(call, { goal, mode: 0o700 }, (folder) => {
    const { virtualSize } = source.stack;
    const files = { data: `${folder}/disk.qcow2`, digests: `${folder}/disk.dig` };
    const plan: DraftPlan = { ...files, virtualSize, type: 'full', workers };
    return drafting(host, plan, async (draft) => {
      const bytes = await write(call, source, [draft, plan]);
      await host.change(chmod(plan.data, 0o600));
      await host.change(sync(plan.data));
      await host.change(link(plan.data, goal));
      await host.change(sync(dirname(goal)));
      for (const path of [plan.data, plan.digests]) await discard(host, path);
      await host.change(removeDir(folder));
      return { path: goal, files: [goal], bytes };
    });
  });
}
