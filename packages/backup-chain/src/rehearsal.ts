import type { Host } from '@platter/host/door';
import { run } from '@platter/host/looks';
import type { DraftPlan } from './draft.ts';
import type { Origin } from './origin.ts';
import { namedNode } from './qemu-words.ts';
import type { Stack } from './stack.ts';

/** Shows in a dry run, as programs, what pouring a point does: a copy, or a rebase onto the parent that is then let go. */
export async function showPour(
  host: Host,
  { path, format }: Pick<Origin, 'path' | 'format'>,
  { plan, parent }: { plan: DraftPlan; parent: Stack | null },
): Promise<void> {
  const lines =
    parent === null
      ? [['convert', '-f', format, '-O', 'qcow2', path, plan.data]]
      : [
          ['create', '-q', '-f', 'qcow2', '-b', path, '-F', format, plan.data],
          ['rebase', '-f', 'qcow2', '-F', 'qcow2', '-b', namedNode(parent), plan.data],
          ['rebase', '-u', '-f', 'qcow2', '-b', '', plan.data],
        ];
  for (const words of lines) await host.change(run('qemu-img', words));
}

/** Shows in a dry run, as a program, what patching a clone of a full does: it gets the content of a chain. */
export async function showPatch(host: Host, chain: string, { data }: Pick<DraftPlan, 'data'>): Promise<void> {
  await host.change(run('qemu-img', ['convert', '-n', '-O', 'qcow2', chain, data]));
}
