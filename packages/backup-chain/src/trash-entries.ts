import type { Host } from '@platter/host/door';
import { list, lstat } from '@platter/host/looks';
import { bad } from './chain-rules.ts';
import type { Finding } from './finding.ts';
import { isEntryName, type VmPaths } from './layout.ts';
import type { Why } from './manifest-kinds.ts';
import { type Leaf, leaf } from './repository.ts';
import { removeEntry } from './trash.ts';

/** One entry of a trash as it lies there: why it was made, or what is wrong with its why.json. */
export interface Entry extends Leaf<Why> {
  /** Files in it except why.json, relative to it. */
  held: string[];
  /** Folders in it, each before those in it. */
  folders: string[];
}

/** An entry that says why it was made. */
export type ReadableEntry = Entry & { value: Why };
export const isReadable = (entry: Entry): entry is ReadableEntry => entry.value !== null;

interface Below {
  files: string[];
  folders: string[];
}

async function below(host: Host, root: string, path = ''): Promise<Below> {
  const found: Below = { files: [], folders: [] };
  for (const { name, kind } of (await host.query(list(`${root}/${path}`))) ?? []) {
    if (kind !== 'dir') found.files.push(`${path}${name}`);
    else {
      const more = await below(host, root, `${path}${name}/`);
      found.files.push(...more.files);
      found.folders.push(`${path}${name}`, ...more.folders);
    }
  }
  return found;
}

async function readEntry(host: Host, path: string): Promise<Entry> {
  const { files, folders } = await below(host, path);
  const why = await leaf(host, `${path}/why.json`, 'Why');
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { ...why, name, path, held: files.filter((file) => file !== 'why.json'), folders };
}

/** The entries of a VM's trash, oldest first; what is not named as one is not looked at. */
export async function readTrash(host: Host, { trash }: Pick<VmPaths, 'trash'>): Promise<Entry[]> {
  const found = ((await host.query(list(trash))) ?? []).filter(({ name, kind }) => kind === 'dir' && isEntryName(name));
  const entries: Entry[] = [];
  for (const { name } of found) entries.push(await readEntry(host, `${trash}/${name}`));
  return inOrder(entries);
}

const keyOf = ({ value, name }: Entry): string => `${name.slice(0, 16)} ${value?.at ?? ''} ${name}`;

function inOrder(entries: Entry[]): Entry[] {
  return entries.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Whether an item, a file or a folder of attachments, lies in an entry. */
export const holds = ({ held, folders }: Entry, item: string): boolean => held.includes(item) || folders.includes(item);

/** The newest entry that was made for an item and does not have it: an interrupted run left it outside. */
export const homeOf = (entries: readonly Entry[], item: string): Entry | undefined =>
  entries.findLast((entry) => entry.value?.items.includes(item) && !holds(entry, item));

/** How many bytes lie in an entry. */
export async function bytesIn(host: Host, { path, held }: Entry): Promise<number> {
  let bytes = 0;
  for (const file of held) bytes += (await host.query(lstat(`${path}/${file}`)))?.size ?? 0;
  return bytes;
}

/** Takes away entries that hold nothing: a crash or an error stood between their making and the first move. */
export async function removeEmptyEntries(host: Host, entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) if (entry.held.length === 0) await removeEntry(host, entry, 'the entry holds nothing');
}

/** What lies in entries and is none of their items: somebody else put it there. */
export function strange(entries: readonly Entry[]): Finding[] {
  return entries.filter(isReadable).flatMap(({ path, held, value }) => {
    const ours = (file: string) => value.items.some((item) => file === item || file.startsWith(`${item}/`));
    return held
      .filter((file) => !ours(file))
      .map((file) => bad('C11', `${path}/${file}`, 'no run of ours put it there'));
  });
}
