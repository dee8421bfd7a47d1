import type { Call } from '@platter/command/call';
import { every } from '@platter/command/every';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { parseAddress, parsePlace } from './address.ts';
import { unreadable } from './chain.ts';
import { enter } from './entering.ts';
import { type Finding, refuse } from './finding.ts';
import { vmPaths } from './layout.ts';
import { vmsOf } from './prune-wish.ts';
import { purge } from './purge.ts';
import type { Repo } from './repository.ts';
import { isReadable, readTrash, strange } from './trash-entries.ts';
import { restoreEntry } from './trash-restore.ts';
import { entryRecord, entryText } from './trash-telling.ts';

interface TrashFlags {
  wait: number;
  'older-than': number;
}
type Trash = Call<TrashFlags>;

/** Lists what lies in the trash of every VM, oldest first; ends with 5 when an entry cannot be read. */
export async function listTrash(call: Trash, repo: Repo): Promise<void> {
  const findings: Finding[] = [];
  for (const word of await vmsOf(call.host, repo, [])) {
    const vm = parsePlace(word);
    const entries = await readTrash(call.host, vmPaths(repo.root, vm));
    findings.push(...unreadable(entries), ...strange(entries));
    for (const entry of entries.filter(isReadable)) {
      const record = await entryRecord(call.host, vm, entry);
      await call.emit(record, { text: entryText(record), name: record.metadata.name });
    }
  }
  refuse(findings, 'not every entry of the trash can be read', 'look what lies in it, and remove it by hand');
}

/** Undoes one entry. */
export async function restoreTrash(call: Trash, repo: Repo): Promise<void> {
  const [, word] = call.words;
  if (word === undefined) throw new Failure('usage', 'restore which entry?', { hint: 'backup-chain trash list' });
  const address = reading('ENTRY', () => parseAddress(word));
  if (address.disk !== null) throw new Failure('usage', `${word} is a point`, { hint: '[NS/]VM@ENTRY' });
  const facts = await enter(call, repo, { ...address, wait: call.flags.wait });
  const record = await restoreEntry(call, facts, address.ref);
  await call.emit(record, { text: entryText(record, 'restored'), name: record.metadata.name });
}

/** Removes what lies in the trash for long enough, VM by VM. */
export async function purgeTrash(call: Trash, repo: Repo): Promise<void> {
  const names = await vmsOf(call.host, repo, []);
  await every(call, { names, alike: true }, async (word) => {
    const facts = await enter(call, repo, { ...parsePlace(word), wait: call.flags.wait });
    for (const record of await purge(call, facts, call.flags['older-than']))
      await call.emit(record, { text: entryText(record, 'purged'), name: record.metadata.name });
  });
}
