import { create, mkdir, remove, removeDir, rename, sync } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { list, text } from '@platter/host/looks';
import { readable, unreadable } from './chain.ts';
import { type Finding, refuse } from './finding.ts';
import { compactInstant, mergesIn } from './layout.ts';
import { manifestText, type Point, seal } from './manifest.ts';
import { type DiskFacts, restoreLoose, type VmFacts } from './repository.ts';

/** What earlier runs left behind, with the reason; paths of `trash` are relative to the VM's folder. */
export interface Sweep {
  remove: { path: string; why: string }[];
  trash: { path: string; why: string }[];
}

const relative = ({ paths }: VmFacts, path: string): string => path.slice(paths.folder.length + 1);

/** Manifests of this VM that cannot be read: nothing may be deleted beside them. */
export function unreadableIn(facts: VmFacts): Finding[] {
  const points = facts.disks.flatMap((disk) => [
    ...disk.points,
    ...(disk.points.length + disk.data.length > 0 ? [disk.identity] : []),
  ]);
  return unreadable([...points, ...facts.sets, ...facts.pins]);
}

function orphans(facts: VmFacts, disk: DiskFacts): Sweep['trash'] {
  const named = new Set(readable(disk).flatMap(({ data, digests }) => [data.file, digests.file]));
  const left = disk.data.filter(({ name }) => !named.has(name));
  return left.map(({ name }) => ({ path: relative(facts, `${disk.paths.data}/${name}`), why: 'no manifest names it' }));
}

/** Attachments of a set that was never published. */
function strayAttachments({ sets, attachments }: VmFacts): Sweep['trash'] {
  const stray = attachments.filter((name) => !sets.some((set) => set.name === `${name.slice(0, -2)}.json`));
  return stray.map((name) => ({ path: `sets/${name}`, why: 'no set names it' }));
}

/** Points that were merged into another: manifest first, then its files. */
function superseded(facts: VmFacts, disk: DiskFacts): Sweep['trash'] {
  const merged = new Map(readable(disk).flatMap(({ id, supersedes }) => supersedes.map((one) => [one, id] as const)));
  return disk.points.flatMap(({ path, value }) => {
    const into = value === null ? undefined : merged.get(value.id);
    if (value === null || into === undefined) return [];
    const why = `it was merged into ${into}`;
    const files = filesOf(disk, value).map((name) => `${disk.paths.data}/${name}`);
    return [path, ...files].map((one) => ({ path: relative(facts, one), why }));
  });
}

const filesOf = ({ data }: DiskFacts, { id }: Point): string[] =>
  data
    .map(({ name }) => name)
    .filter((name) => mergesIn(name, id, 'qcow2') !== null || mergesIn(name, id, 'dig') !== null);

/** What the next writer puts away (spec 3): half-made files, orphans, merged points, expired pins. */
export function sweepOf(facts: VmFacts, now: number): Sweep {
  const temporaries = [facts.temporaries, ...facts.disks.map((disk) => disk.temporaries)].flat();
  const expired = facts.pins.filter(({ value }) => value?.until != null && Date.parse(value.until) <= now);
  return {
    remove: [
      ...temporaries.map((path) => ({ path, why: 'it was left half made' })),
      ...expired.map(({ path, value }) => ({ path, why: `the pin ended at ${value?.until}` })),
    ],
    trash: [
      ...facts.disks.flatMap((disk) => [...orphans(facts, disk), ...superseded(facts, disk)]),
      ...strayAttachments(facts),
    ],
  };
}

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

async function moveInto(
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
async function removeEmptyEntries(host: Host, { paths }: VmFacts): Promise<void> {
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
async function mergeEntry(host: Host, { paths }: VmFacts, item: string): Promise<string | null> {
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

export interface Sweeping {
  now: number;
  random: Uint8Array;
}

/** Puts away what earlier runs left; stops with 5 and changes nothing while a manifest cannot be read. */
export async function sweep(host: Host, facts: VmFacts, { now, random }: Sweeping): Promise<void> {
  refuse(unreadableIn(facts), `will not change ${facts.paths.folder}: not every manifest can be read`, restoreLoose);
  const plan = sweepOf(facts, now);
  await removeEmptyEntries(host, facts);
  for (const { path, why } of plan.remove) await host.change(because(remove(path), why));
  const left: string[] = [];
  for (const { path } of plan.trash) {
    const entry = await mergeEntry(host, facts, path);
    if (entry === null) left.push(path);
    else await moveInto(host, { entry, folder: facts.paths.folder }, [path]);
  }
  const reason = 'left behind by an interrupted run';
  if (left.length > 0) await toTrash(host, { facts, op: 'sweep', reason, now, random }, left);
}
