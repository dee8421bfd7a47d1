import { remove } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { unreadable } from './chain.ts';
import { readable } from './chain-rules.ts';
import { type Finding, refuse } from './finding.ts';
import { mergesIn } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { type DiskFacts, restoreLoose, type VmFacts } from './repository.ts';
import { mergeEntry, moveInto, removeEmptyEntries, toTrash } from './trash.ts';

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

export interface Sweeping {
  now: number;
  random: Uint8Array;
}

/** Puts away what earlier runs left; stops with 5 and changes nothing while a manifest cannot be read. */
export async function sweep(host: Host, facts: VmFacts, { now, random }: Sweeping): Promise<void> {
  refuse(unreadableIn(facts), `will not change ${facts.paths.folder}: not every manifest can be read`, restoreLoose);
  const plan = sweepOf(facts, now);
  for (const { path, why } of plan.remove) await host.change(because(remove(path), why));
  const left: string[] = [];
  for (const { path } of plan.trash) {
    const entry = await mergeEntry(host, facts, path);
    if (entry === null) left.push(path);
    else await moveInto(host, { entry, folder: facts.paths.folder }, [path]);
  }
  await removeEmptyEntries(host, facts);
  const reason = 'left behind by an interrupted run';
  if (left.length > 0) await toTrash(host, { facts, op: 'sweep', reason, items: left, now, random });
}
