import { remove } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { unreadable } from './chain.ts';
import { readable } from './chain-rules.ts';
import { type Finding, refuse } from './finding.ts';
import { isDataName, mergesIn } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { type DiskFacts, restoreLoose, type VmFacts } from './repository.ts';
import { moveInto, toTrash } from './trash.ts';
import { type Entry, homeOf, readTrash, removeEmptyEntries } from './trash-entries.ts';

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
  const left = disk.data.filter(({ name, kind }) => kind === 'file' && isDataName(name) && !named.has(name));
  return left.map(({ name }) => ({ path: relative(facts, `${disk.paths.data}/${name}`), why: 'no manifest names it' }));
}

/** Attachments of a set that was never published. */
function strayAttachments({ sets, attachments }: VmFacts): Sweep['trash'] {
  const stray = attachments.filter((name) => !sets.some((set) => set.name === `${name.slice(0, -2)}.json`));
  return stray.map((name) => ({ path: `sets/${name}`, why: 'no set names it' }));
}

/** Points that were merged into another, newest first: manifest, then its files. What is left of them stays a chain. */
function superseded(facts: VmFacts, disk: DiskFacts): Sweep['trash'] {
  const merged = new Map(readable(disk).flatMap(({ id, supersedes }) => supersedes.map((one) => [one, id] as const)));
  return disk.points.toReversed().flatMap(({ path, value }) => {
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

/** Each path once, where it comes first. */
const once = (paths: Sweep['trash']): Sweep['trash'] => [...new Map(paths.map((one) => [one.path, one])).values()];

/** What the next writer puts away (spec 3): half-made files, orphans, merged points, expired pins. */
export function sweepOf(facts: VmFacts, now: number): Sweep {
  const temporaries = [facts.temporaries, ...facts.disks.map((disk) => disk.temporaries)].flat();
  const expired = facts.pins.filter(({ value }) => value?.until != null && Date.parse(value.until) <= now);
  return {
    remove: [
      ...temporaries.map((path) => ({ path, why: 'it was left half made' })),
      ...expired.map(({ path, value }) => ({ path, why: `the pin ended at ${value?.until}` })),
    ],
    trash: once([
      ...facts.disks.flatMap((disk) => [...superseded(facts, disk), ...orphans(facts, disk)]),
      ...strayAttachments(facts),
    ]),
  };
}

/** A VM as it is once that is put away: what a dry run plans with. */
export function swept(facts: VmFacts, now: number): VmFacts {
  const { remove: removed, trash } = sweepOf(facts, now);
  const gone = new Set(
    [...removed, ...trash.map(({ path }) => ({ path: `${facts.paths.folder}/${path}` }))].map(({ path }) => path),
  );
  const stays = ({ path }: { path: string }) => !gone.has(path);
  const disks = facts.disks.map((disk) => ({
    ...disk,
    temporaries: [],
    points: disk.points.filter(stays),
    data: disk.data.filter(({ name }) => !gone.has(`${disk.paths.data}/${name}`)),
  }));
  const attachments = facts.attachments.filter((name) => !gone.has(`${facts.paths.sets}/${name}`));
  return { ...facts, disks, attachments, temporaries: [], pins: facts.pins.filter(stays) };
}

export interface Sweeping {
  now: number;
  random: Uint8Array;
}

const cannot = ({ paths }: VmFacts, why: string): string => `will not change ${paths.folder}: ${why}`;

/** What goes back into which entry, and what no entry was made for. */
function homes(entries: readonly Entry[], plan: Sweep): { back: Map<Entry, string[]>; left: string[] } {
  const back = new Map<Entry, string[]>();
  const left: string[] = [];
  for (const { path } of plan.trash) {
    const home = homeOf(entries, path);
    if (home === undefined) left.push(path);
    else back.set(home, [...(back.get(home) ?? []), path]);
  }
  return { back, left };
}

/** Puts away what earlier runs left; stops with 5 and changes nothing while it cannot tell what belongs where. */
export async function sweep(host: Host, facts: VmFacts, { now, random }: Sweeping): Promise<void> {
  refuse(unreadableIn(facts), cannot(facts, 'not every manifest can be read'), restoreLoose);
  const plan = sweepOf(facts, now);
  const entries = await readTrash(host, facts.paths);
  if (plan.trash.length > 0)
    refuse(
      unreadable(entries.filter(({ held }) => held.length > 0)),
      cannot(facts, 'not every entry of its trash can be read'),
    );
  const { back, left } = homes(entries, plan);
  for (const { path, why } of plan.remove) await host.change(because(remove(path), why));
  for (const [{ path: entry }, items] of back) await moveInto(host, { entry, folder: facts.paths.folder }, items);
  await removeEmptyEntries(
    host,
    entries.filter((entry) => !back.has(entry)),
  );
  const reason = 'left behind by an interrupted run';
  if (left.length > 0) await toTrash(host, { facts, op: 'sweep', reason, items: left, now, random });
}
