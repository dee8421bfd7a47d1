import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import type { Place } from './address.ts';
import { readable } from './chain-rules.ts';
import { refuse } from './finding.ts';
import { newId } from './layout.ts';
import { ensureVm, lockVm } from './publish.ts';
import { type Repo, readVm, restoreLoose, type VmFacts } from './repository.ts';
import { sweep, swept, unreadableIn } from './sweep.ts';
import { vmAddress } from './telling.ts';

type Vm = Pick<Place, 'namespace' | 'vm'>;

/** A VM for a writer: its facts under its lock, or, of one that has no folder yet, nothing. */
export interface Entered {
  facts: VmFacts;
  isNew: boolean;
}

const isThere = async ({ host }: Call<unknown>, { paths }: VmFacts): Promise<boolean> =>
  (await host.query(lstat(paths.folder))) !== null;

/** Takes the lock of a VM that is there, and reads it; 5 while a manifest of it cannot be read. Makes nothing. */
export async function enterAny(call: Call<unknown>, repo: Repo, place: Vm & { wait: number }): Promise<Entered> {
  const first = await readVm(call.host, repo, place);
  if (!(await isThere(call, first))) return { facts: first, isNew: true };
  await lockVm(call, first.paths, place.wait);
  const facts = await readVm(call.host, repo, place);
  const what = `will not change ${vmAddress(place)}: not every manifest can be read`;
  refuse(unreadableIn(facts), what, restoreLoose);
  return { facts, isNew: false };
}

/** Makes the folders of a new VM and locks it; puts away what earlier runs left in any. */
export async function settleIn(
  call: Call<unknown>,
  { facts, isNew }: Entered,
  { wait, now }: { wait: number; now: number },
): Promise<void> {
  await ensureVm(call.host, facts.paths);
  if (isNew) await lockVm(call, facts.paths, wait);
  const others = isNew && !call.host.dry ? await readVm(call.host, facts.repo, facts) : null;
  if (others !== null && others.disks.length > 0)
    throw new Failure('busy', `${vmAddress(facts)} was made by somebody else just now`);
  await sweep(call.host, facts, { now, random: call.random(2) });
}

/** The facts of a VM that is there, under its lock and swept; 3 when there is no such VM. */
export async function enter(call: Call<unknown>, repo: Repo, place: Vm & { wait: number }): Promise<VmFacts> {
  const entered = await enterAny(call, repo, place);
  if (entered.isNew) throw new Failure('refused', `there is no VM ${vmAddress(place)}`, { hint: 'backup-chain list' });
  const now = call.now();
  await settleIn(call, entered, { wait: place.wait, now });
  return call.host.dry ? swept(entered.facts, now) : readVm(call.host, repo, place);
}

/** An id for a run that nothing in the VM has. */
export function freshId(facts: VmFacts, now: number, random: () => Uint8Array): string {
  const taken = new Set([
    ...facts.sets.map(({ name }) => name.replace('.json', '')),
    ...facts.disks.flatMap(readable).map(({ id }) => id),
  ]);
  let id = newId(now, random());
  while (taken.has(id)) id = newId(now, random());
  return id;
}
