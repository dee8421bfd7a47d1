import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { enter } from './entering.ts';
import type { Expiry, Policy } from './expire.ts';
import { findingText, refuse } from './finding.ts';
import { expiryOf, standsInTheWay } from './keeping.ts';
import { pointName } from './layout.ts';
import { type Dropped, type Manner, type PrunePlan, planOf, type Uptake } from './pruning.ts';
import { purge } from './purge.ts';
import { type Repo, readVm, restoreLoose, type VmFacts } from './repository.ts';
import { sharesExtents } from './sharing.ts';
import { vmAddress } from './telling.ts';
import { toTrash } from './trash.ts';

export interface PruneWish extends Omit<Manner, 'reflinks'> {
  policy: Policy;
  /** How long trash is kept, in ms. */
  grace: number;
  workers: number;
  wait: number;
}

/** What pruning one VM came to. */
export interface Pruned {
  facts: VmFacts;
  plan: PrunePlan;
  bytesTrashed: number;
  bytesPurged: number;
}

type Run = Call<unknown>;

async function trash(
  { host, now, random }: Run,
  facts: VmFacts,
  what: { reason: string; items: string[] },
): Promise<void> {
  await toTrash(host, { ...what, facts, op: 'prune', now: now(), random: random(2) });
}

/** Each set's manifest goes, which is its commit, and its attachments with it. */
async function dropSets(call: Run, facts: VmFacts, ids: readonly string[]): Promise<void> {
  for (const id of [...ids].reverse()) {
    const kept = facts.attachments.includes(`${id}.d`) ? [`sets/${id}.d`] : [];
    await trash(call, facts, { reason: `the policy does not keep the set ${id}`, items: [`sets/${id}.json`, ...kept] });
  }
}

/** The VM without sets that were put away: in a dry run they still lie there. */
async function after(call: Run, facts: VmFacts, expired: readonly string[]): Promise<VmFacts> {
  if (!call.host.dry) return readVm(call.host, facts.repo, facts);
  return { ...facts, sets: facts.sets.filter(({ value }) => value === null || !expired.includes(value.id)) };
}

async function takeUp(
  call: Run,
  facts: VmFacts,
  { uptake, workers }: { uptake: Uptake; workers: number },
): Promise<number> {
  const [from] = uptake.points;
  if (from === undefined) return 0;
  const { mergeRun } = await import('./merging.ts');
  const { bytesTrashed } = await mergeRun(call, {
    facts,
    disk: uptake.disk,
    from: from.id,
    to: uptake.into.id,
    workers,
  });
  return bytesTrashed;
}

/** Points leaf first, each manifest before its files: what is left is whole at any moment. */
async function drop(call: Run, facts: VmFacts, { disk, points }: Dropped): Promise<number> {
  const home = `disks/${disk.name}`;
  const files = points.flatMap(({ data, digests }) => [data.file, digests.file]);
  const there = disk.data.filter(({ name }) => files.includes(name));
  const items = points.flatMap(({ sequence, id, data, digests }) => [
    `${home}/points/${pointName(sequence, id)}`,
    ...[data.file, digests.file]
      .filter((file) => there.some(({ name }) => name === file))
      .map((file) => `${home}/data/${file}`),
  ]);
  await trash(call, facts, { reason: `no set that is kept needs these points of ${disk.name}`, items });
  return there.reduce((sum, { size }) => sum + size, 0);
}

/** Purges what is older than grace, and says how many bytes that were; while somebody reads the VM that is left to the next run. */
async function purgeOld(call: Run, facts: VmFacts, grace: number): Promise<number> {
  try {
    return (await purge(call, facts, grace)).reduce((sum, { bytes }) => sum + bytes, 0);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    call.note(error.message);
    return 0;
  }
}

/** Tells of all that is wrong with what is kept, and leaves the VM alone. */
async function refuseDamaged(call: Run, facts: VmFacts, expiry: Expiry): Promise<void> {
  const findings = standsInTheWay(facts, expiry);
  const about = { apiVersion: 'platter.dev/v1' as const, kind: 'Finding' };
  for (const one of findings)
    await call.emit({ ...one, ...about, metadata: { name: one.object } }, { text: findingText(one) });
  refuse(findings, `will not prune ${vmAddress(facts)}: what it keeps is damaged`, restoreLoose);
}

function warnOfFuture(call: Run, facts: VmFacts, future: readonly string[]): void {
  for (const id of future) call.warn(`${vmAddress(facts)}@${id} was taken at a time to come: it counts as the newest`);
}

/** Prunes one VM (spec 3.11): sets, merges, points, trash. 5 when what is kept is damaged; then nothing is changed. */
export async function prune(
  call: Run,
  [repo, place]: readonly [Repo, Pick<VmFacts, 'namespace' | 'vm'>],
  wish: PruneWish,
): Promise<Pruned> {
  const facts = await enter(call, repo, { ...place, wait: wish.wait });
  const expiry = expiryOf(facts, { policy: wish.policy, now: call.now() });
  await refuseDamaged(call, facts, expiry);
  warnOfFuture(call, facts, expiry.future);
  const plan = planOf(facts, expiry, { ...wish, reflinks: await sharesExtents(call.host, facts.paths.folder) });
  await dropSets(call, facts, expiry.expired);
  let bytesTrashed = 0;
  for (const uptake of plan.uptakes)
    bytesTrashed += await takeUp(call, await after(call, facts, expiry.expired), { uptake, workers: wish.workers });
  for (const dropped of plan.dropped) bytesTrashed += await drop(call, facts, dropped);
  const bytesPurged = await purgeOld(call, facts, wish.grace);
  return { facts, plan, bytesTrashed, bytesPurged };
}
