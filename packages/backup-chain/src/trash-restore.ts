import type { Call } from '@platter/command/call';
import { rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { text } from '@platter/host/looks';
import { replaceWhole } from '@platter/host/whole';
import { matching } from './address.ts';
import { unreadable } from './chain.ts';
import { refuse } from './finding.ts';
import { temporary } from './layout.ts';
import type { VmFacts } from './repository.ts';
import { placesOf, returningFrom } from './returning.ts';
import { removeEntry, toTrash } from './trash.ts';
import { type Entry, isReadable, type ReadableEntry, readTrash, strange } from './trash-entries.ts';
import { type EntryRecord, entryAddress, entryRecord } from './trash-telling.ts';
import { type UndoPlan, undoOf } from './undoing.ts';

/** The entry that an address means; 3 with what there is when it means none or several, 5 when it cannot be read. */
function entryNamed(facts: VmFacts, entries: readonly Entry[], ref: string): ReadableEntry {
  const candidates = entries.map(({ name, value }) => ({ id: name, capturedAt: value?.at ?? '' }));
  const matches = matching(ref, candidates);
  const found = entries.find(({ name }) => name === matches[0]);
  if (found === undefined || matches.length > 1) {
    const listed = (matches.length > 0 ? matches : candidates.map(({ id }) => id)).slice(-8).join(', ');
    const details = listed === '' ? {} : { details: { 'there are': listed } };
    const what = matches.length > 1 ? 'can mean more than one entry' : 'is no entry of the trash';
    throw new Failure('refused', `${entryAddress(facts, ref)} ${what}`, {
      ...details,
      hint: 'backup-chain trash list',
    });
  }
  const what = `will not restore ${entryAddress(facts, found.name)}: what it says cannot be trusted`;
  refuse([...unreadable([found]), ...strange([found])], what);
  if (isReadable(found)) return found;
  throw new Failure('corrupt', what);
}

async function moveBack(
  call: Call<unknown>,
  [entry, folder]: readonly [string, string],
  items: readonly string[],
): Promise<void> {
  for (const item of items) await call.host.change(rename(`${entry}/${item}`, `${folder}/${item}`));
  const touched = new Set(items.map((item) => item.slice(0, item.lastIndexOf('/'))));
  for (const one of touched) await call.host.change(sync(`${folder}/${one}`));
}

/** Data, then manifests, then the one that was replaced: the commit. Until then the next writer takes all of it back. */
async function undo(
  call: Call<unknown>,
  facts: VmFacts,
  { entry, plan }: { entry: ReadableEntry; plan: UndoPlan },
): Promise<void> {
  const { host } = call;
  const { folder, trash } = facts.paths;
  await moveBack(call, [entry.path, folder], plan.data);
  await moveBack(call, [entry.path, folder], plan.manifests);
  if (plan.commit !== null) {
    const path = `${folder}/${plan.commit.path}`;
    const temp = path.replace(/[^/]*$/, (name) => `${temporary}${name}`);
    await replaceWhole(host, { path, temp, data: plan.commit.before, mode: 0o444 });
  }
  await removeEntry(host, entry, 'what it held is back');
  await host.change(because(sync(trash), 'the entry is gone'));
  if (plan.needless.length === 0) return;
  const reason = `${entry.name} was undone`;
  await toTrash(host, { facts, op: 'sweep', reason, items: plan.needless, now: call.now(), random: call.random(2) });
}

/** Undoes one entry of the VM's trash exactly (spec 3.12); tells of it as it was. The facts are current, the VM is locked. */
export async function restoreEntry(call: Call<unknown>, facts: VmFacts, ref: string): Promise<EntryRecord> {
  const { host } = call;
  const entries = await readTrash(host, facts.paths);
  const entry = entryNamed(facts, entries, ref);
  const places = await placesOf(host, facts, entry);
  const { replaced } = entry.value;
  const plan = undoOf({
    name: entryAddress(facts, entry.name),
    facts,
    entry,
    others: entries.filter((one) => one !== entry),
    places,
    returning: await returningFrom(host, entry, places.held),
    current: replaced === null ? null : await host.query(text(`${facts.paths.folder}/${replaced.path}`)),
  });
  const record = await entryRecord(host, facts, entry);
  await undo(call, facts, { entry, plan });
  return record;
}
