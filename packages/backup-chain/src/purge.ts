import type { Call } from '@platter/command/call';
import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { formatDuration } from '@platter/units/duration';
import { unreadable } from './chain.ts';
import { refuse } from './finding.ts';
import type { VmFacts } from './repository.ts';
import { vmAddress } from './telling.ts';
import { removeEntry } from './trash.ts';
import { type Entry, isReadable, type ReadableEntry, readTrash, strange } from './trash-entries.ts';
import { type EntryRecord, entryRecord } from './trash-telling.ts';

/** The entries that are at least so old; 5 when one cannot tell its age. */
function ripe(facts: VmFacts, entries: readonly Entry[], { age, now }: { age: number; now: number }): ReadableEntry[] {
  const what = `will not purge the trash of ${vmAddress(facts)}: not every entry can be read`;
  refuse([...unreadable(entries), ...strange(entries)], what, 'look what lies in it, and remove it by hand');
  return entries.filter(isReadable).filter(({ value }) => now - Date.parse(value.at) >= age);
}

/** Nobody reads the VM while this is held. It is never waited for: 4 when somebody does. */
async function lockOut(call: Call<unknown>, { paths, ...vm }: VmFacts): Promise<{ release(): void }> {
  try {
    return await call.host.change({ op: 'lock', path: paths.use });
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    throw new Failure('busy', `will not purge the trash of ${vmAddress(vm)}: somebody reads the VM`, {
      cause: error,
      hint: 'try again when restores, drills and serve have ended',
    });
  }
}

/** Data first, durably gone; then the reason, which is the commit; then the folders. */
async function purgeEntry(call: Call<unknown>, entry: Entry, why: string): Promise<void> {
  const { path, held, folders } = entry;
  for (const file of held) await call.host.change(because(remove(`${path}/${file}`), why));
  const touched = folders.filter((folder) => held.some((file) => file.slice(0, file.lastIndexOf('/')) === folder));
  for (const folder of touched) await call.host.change(sync(`${path}/${folder}`));
  await removeEntry(call.host, entry, why);
}

/** Unlinks what lies in the VM's trash for at least `age` ms, and tells of it. The VM is locked; 4 while somebody reads it. */
export async function purge(call: Call<unknown>, facts: VmFacts, age: number): Promise<EntryRecord[]> {
  const entries = ripe(facts, await readTrash(call.host, facts.paths), { age, now: call.now() });
  if (entries.length === 0) return [];
  const lock = await lockOut(call, facts);
  const purged: EntryRecord[] = [];
  for (const entry of entries) {
    purged.push(await entryRecord(call.host, facts, entry));
    await purgeEntry(call, entry, `in the trash for ${formatDuration(age)} or longer`);
  }
  await call.host.change(sync(facts.paths.trash));
  lock.release();
  return purged;
}
