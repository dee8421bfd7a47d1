import { create, mkdir, remove, removeDir, rename, sync } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { list, text } from '@platter/host/looks';
import { compactInstant } from './layout.ts';
import { manifestText, seal } from './manifest.ts';
import { ensureFolder } from './publish.ts';
import type { VmFacts } from './repository.ts';

/** The folders above a path inside an entry, outermost first. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, n) => parts.slice(0, n + 1).join('/'));
}

/** A manifest that an operation replaced: where, what it was, and the SHA-256 of what it became. */
export interface Replaced {
  path: string;
  before: string;
  after: string;
}

/** What goes to the trash and why; paths are relative to the VM's folder. */
export interface Trashing {
  facts: VmFacts;
  op: 'merge' | 'fold' | 'prune' | 'sweep';
  reason: string;
  items: readonly string[];
  replaced?: Replaced;
  now: number;
  random: Uint8Array;
}

/** A new entry that says what will lie in it and why; gives its folder. Without any of its items it is swept. */
export async function makeEntry(
  host: Host,
  { facts, op, reason, items, replaced, now, random }: Trashing,
): Promise<string> {
  const { trash } = facts.paths;
  const entry = `${trash}/${compactInstant(now)}-${op}-${Buffer.from(random.subarray(0, 2)).toString('hex')}`;
  await ensureFolder(host, trash);
  await host.change(because(mkdir(entry, 0o755), reason));
  const why = seal({ op, at: new Date(now).toISOString(), reason, items, replaced: replaced ?? null });
  await host.change(create(`${entry}/why.json`, manifestText(why), 0o444));
  await host.change(sync(entry));
  await host.change(sync(trash));
  return entry;
}

/** Moves files of a VM into a new entry of its trash. */
export async function toTrash(host: Host, trashing: Trashing): Promise<void> {
  const entry = await makeEntry(host, trashing);
  await moveInto(host, { entry, folder: trashing.facts.paths.folder }, trashing.items);
}

/** Moves files into an entry of the trash, and makes that durable. */
export async function moveInto(
  host: Host,
  { entry, folder }: { entry: string; folder: string },
  items: readonly string[],
): Promise<void> {
  const folders = [...new Set(items.flatMap(foldersOf))];
  for (const one of folders)
    if ((await host.query(list(`${entry}/${one}`))) === null) await host.change(mkdir(`${entry}/${one}`, 0o755));
  for (const item of items) await host.change(rename(`${folder}/${item}`, `${entry}/${item}`));
  const touched = [...new Set(items.map((item) => item.slice(0, item.lastIndexOf('/'))))];
  for (const one of touched) {
    await host.change(sync(`${entry}/${one}`));
    await host.change(sync(`${folder}/${one}`));
  }
}

/** Files below a folder, deepest names last; folders end with `/`. */
async function below(host: Host, path: string): Promise<string[]> {
  const found = (await host.query(list(path))) ?? [];
  const deep = found.map(async ({ name, kind }) =>
    kind === 'dir' ? [`${path}/${name}/`, ...(await below(host, `${path}/${name}`))] : [`${path}/${name}`],
  );
  return (await Promise.all(deep)).flat();
}

/** Entries of the trash that came to hold nothing: a crash stood between their making and the first move. */
export async function removeEmptyEntries(host: Host, { paths }: VmFacts): Promise<void> {
  for (const { name } of (await host.query(list(paths.trash))) ?? []) {
    const entry = `${paths.trash}/${name}`;
    const held = await below(host, entry);
    const files = held.filter((path) => !path.endsWith('/'));
    if (files.some((path) => path !== `${entry}/why.json`)) continue;
    for (const path of files) await host.change(because(remove(path), 'the entry holds nothing'));
    for (const path of held.filter((one) => one.endsWith('/')).reverse())
      await host.change(removeDir(path.slice(0, -1)));
    await host.change(removeDir(entry));
  }
}

/** The entry in which a merge already put, or meant to put, these items. */
export async function mergeEntry(host: Host, { paths }: VmFacts, item: string): Promise<string | null> {
  for (const { name } of (await host.query(list(paths.trash))) ?? []) {
    const why = await host.query(text(`${paths.trash}/${name}/why.json`));
    const { items = [] } = (why === null ? {} : parsed(why)) as { items?: string[] };
    if (items.includes(item)) return `${paths.trash}/${name}`;
  }
  return null;
}

function parsed(content: string): object {
  try {
    return JSON.parse(content) as object;
  } catch {
    return {};
  }
}
