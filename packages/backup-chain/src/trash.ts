import { create, mkdir, remove, removeDir, rename, sync } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { list, lstat } from '@platter/host/looks';
import { compactInstant } from './layout.ts';
import { manifestText, seal } from './manifest.ts';
import type { Why } from './manifest-kinds.ts';
import type { VmFacts } from './repository.ts';

/** The folders above a path inside an entry, outermost first. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, n) => parts.slice(0, n + 1).join('/'));
}

const above = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** A manifest that an operation replaced: where, what it was, and the SHA-256 of what it became. */
export interface Replaced {
  path: string;
  before: string;
  after: string;
}

/** What goes to the trash and why; paths are relative to the VM's folder. */
export interface Trashing {
  facts: VmFacts;
  op: Why['op'];
  reason: string;
  items: readonly string[];
  replaced?: Replaced;
  now: number;
  random: Uint8Array;
}

/** A name for an entry that nothing in the trash has. */
async function freeName(host: Host, { facts, op, now, random }: Trashing): Promise<string> {
  const start = Buffer.from(random).readUInt16BE();
  const named = (n: number) =>
    `${facts.paths.trash}/${compactInstant(now)}-${op}-${((start + n) % 65_536).toString(16).padStart(4, '0')}`;
  let n = 0;
  while ((await host.query(lstat(named(n)))) !== null) n += 1;
  return named(n);
}

/** A new entry that says what will lie in it and why; gives its folder. Without any of its items it is swept. */
export async function makeEntry(host: Host, trashing: Trashing): Promise<string> {
  const { op, reason, items, replaced, now } = trashing;
  const entry = await freeName(host, trashing);
  await host.change(because(mkdir(entry, 0o755), reason));
  const why = seal({ op, at: new Date(now).toISOString(), reason, items: [...items], replaced: replaced ?? null });
  await host.change(create(`${entry}/why.json`, manifestText(why satisfies Why), 0o444));
  await host.change(sync(entry));
  await host.change(sync(above(entry)));
  return entry;
}

/** Moves files of a VM into a new entry of its trash. */
export async function toTrash(host: Host, trashing: Trashing): Promise<void> {
  const entry = await makeEntry(host, trashing);
  await moveInto(host, { entry, folder: trashing.facts.paths.folder }, trashing.items);
}

/** Makes folders of an entry that are not there, durably: what is moved into them must not be lost with them. */
async function ensureFolders(host: Host, entry: string, folders: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const one of folders) if ((await host.query(list(`${entry}/${one}`))) === null) missing.push(`${entry}/${one}`);
  for (const path of missing) await host.change(mkdir(path, 0o755));
  for (const path of new Set(missing.map(above))) await host.change(sync(path));
}

/** Moves files into an entry of the trash, and makes that durable. */
export async function moveInto(
  host: Host,
  { entry, folder }: { entry: string; folder: string },
  items: readonly string[],
): Promise<void> {
  await ensureFolders(host, entry, [...new Set(items.flatMap(foldersOf))]);
  for (const item of items) await host.change(rename(`${folder}/${item}`, `${entry}/${item}`));
  for (const one of new Set(items.map(above))) {
    await host.change(sync(`${entry}/${one}`));
    await host.change(sync(`${folder}/${one}`));
  }
}

/** Takes an entry away that holds no file but its reason: that one first, then its folders. */
export async function removeEntry(
  host: Host,
  { path, folders }: { path: string; folders: readonly string[] },
  why: string,
): Promise<void> {
  await host.change(because(remove(`${path}/why.json`), why));
  for (const one of [...folders].reverse()) await host.change(removeDir(`${path}/${one}`));
  await host.change(removeDir(path));
}
