import { create, mkdir, remove, removeDir, rename, sync } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { list, text } from '@platter/host/looks';
import { compactInstant } from './layout.ts';
import { manifestText, seal } from './manifest.ts';
import type { VmFacts } from './repository.ts';

/** The folders above a path inside an entry, outermost first. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, n) => parts.slice(0, n + 1).join('/'));
}

export interface Trashing {
  facts: VmFacts;
  op: string;
  reason: string;
  now: number;
  random: Uint8Array;
}

/** Moves files of a VM, given relative to its folder, into a new trash entry that says why. */
export async function toTrash(
  host: Host,
  { facts, op, reason, now, random }: Trashing,
  items: readonly string[],
): Promise<void> {
  const { trash, folder } = facts.paths;
  const entry = `${trash}/${compactInstant(now)}-${op}-${Buffer.from(random.subarray(0, 2)).toString('hex')}`;
  if ((await host.query(list(trash))) === null) await host.change(mkdir(trash, 0o755));
  await host.change(because(mkdir(entry, 0o755), reason));
  const why = seal({ op, at: new Date(now).toISOString(), reason, items });
  await host.change(create(`${entry}/why.json`, manifestText(why), 0o444));
  await moveInto(host, { entry, folder }, items);
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
