import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { chainOf } from './chain.ts';
import type { Decision, Parent } from './engine.ts';
import { refuse } from './finding.ts';
import type { Point } from './manifest-kinds.ts';
import { openChain } from './opening.ts';
import { restoreLoose, type VmFacts } from './repository.ts';
import { type Stack, stackOf } from './stack.ts';

/** What a new point of a disk may stand on, and whether it does. */
export interface Standing {
  disk: string;
  parent: Parent | null;
  decision: Pick<Decision, 'type'>;
}

/** The point that the new one names as its parent; a full has none. */
export const parentPoint = ({ decision, parent }: Standing): Point | null =>
  decision.type === 'full' ? null : (parent?.point ?? null);

/** How many links the new point has, with itself. */
export const linksOf = ({ decision, parent }: Standing): number =>
  decision.type === 'full' ? 1 : (parent?.links.length ?? 0) + 1;

/** The chain an incremental stands on, its files checked and held open; null for a full. */
export async function openParent(
  host: Host,
  facts: VmFacts,
  { disk: name, ...standing }: Standing,
): Promise<Stack | null> {
  const point = parentPoint({ disk: name, ...standing });
  const disk = facts.disks.find((one) => one.name === name);
  if (point === null || !disk) return null;
  const { links } = chainOf({ facts, disk }, point.id);
  const { links: open, findings } = await openChain(host, disk, links);
  const hint = `--full starts a new chain; ${restoreLoose}`;
  refuse(findings, `cannot capture onto ${point.id}: its chain is damaged`, hint);
  return stackOf(open);
}

/** Refuses a chain that composes to another content than its newest point was captured with; `found` null: no chain. */
export function refuseRot({ parent }: Standing, found: string | null): void {
  if (found === null || found === parent?.point.contentSha256) return;
  throw new Failure('corrupt', `cannot capture onto ${parent?.point.id}: its chain does not compose to its content`, {
    hint: `--full starts a new chain; ${restoreLoose}`,
  });
}
