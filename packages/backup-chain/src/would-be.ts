import { chainOf, setFindings, tipsOf } from './chain.ts';
import { bad, nameOf, readable, type Scene } from './chain-rules.ts';
import type { Finding } from './finding.ts';
import { readManifest } from './manifest.ts';
import type { Point } from './manifest-kinds.ts';
import type { DiskFacts, Leaf, VmFacts } from './repository.ts';
import type { Returning } from './returning.ts';
import type { ReadableEntry } from './trash-entries.ts';

/** A VM, and what would come back into it. */
interface Back {
  facts: VmFacts;
  entry: ReadableEntry;
  returning: Returning;
}

/** The manifest that was replaced, as a leaf in its place. */
export function formerOf({ facts, entry }: Back): Leaf<Point>[] {
  const { replaced } = entry.value;
  if (replaced === null) return [];
  const path = `${facts.paths.folder}/${replaced.path}`;
  return [{ path, name: path.slice(path.lastIndexOf('/') + 1), ...readManifest('BackupPoint', replaced.before) }];
}

/** The VM as it would be. */
function wouldBe({ facts, returning }: Back, former: readonly Leaf<Point>[]): VmFacts {
  const replaced = new Set(former.map(({ path }) => path));
  const of =
    (disk: DiskFacts) =>
    <T>(all: readonly { disk: string; value: T }[]): T[] =>
      all.filter((one) => one.disk === disk.name).map(({ value }) => value);
  const disks = facts.disks.map((disk) => {
    const own = former.filter(({ path }) => path.startsWith(`${disk.paths.points}/`));
    const stay = disk.points.filter(({ path }) => !replaced.has(path));
    return {
      ...disk,
      points: [...stay, ...own, ...of(disk)(returning.points)],
      data: [...disk.data, ...of(disk)(returning.data)],
    };
  });
  return { ...facts, disks, sets: [...facts.sets, ...returning.sets] };
}

/** Two points of a disk that would have come at the same place in its order. */
function clashes(scene: Scene, ids: readonly string[]): Finding[] {
  const points = readable(scene.disk);
  return points
    .filter(
      (one) => ids.includes(one.id) && points.some(({ id, sequence }) => id !== one.id && sequence === one.sequence),
    )
    .map(({ id, sequence }) => bad('C7', nameOf(scene, id), `another point has the sequence ${sequence} now`));
}

/** What would be wrong with the points and sets that come back, and with those that rest on them. */
export function wrongThen(undoing: Back, former: readonly Leaf<Point>[]): Finding[] {
  const facts = wouldBe(undoing, former);
  const back = [...undoing.returning.points.map(({ value }) => value), ...former].flatMap(({ value }) =>
    value === null ? [] : [value],
  );
  const chains = facts.disks.flatMap((disk) => {
    const ids = back.filter((point) => point.disk.name === disk.name).map(({ id }) => id);
    const tips = tipsOf(
      disk,
      readable(disk).map(({ id }) => id),
    );
    const chains = tips.map((id) => chainOf({ facts, disk }, id));
    const affected = chains.filter(({ links }) => links.some(({ id }) => ids.includes(id)));
    return [...clashes({ facts, disk }, ids), ...affected.flatMap(({ findings }) => findings)];
  });
  const lost = back.filter(({ disk }) => !facts.disks.some(({ name }) => name === disk.name));
  return [
    ...lost.map(({ id, disk }) => bad('C1', id, `its disk ${disk.name} is not there`)),
    ...chains,
    ...undoing.returning.sets.flatMap((set) => setFindings(facts, set)),
  ].filter(({ code }) => code !== 'noted');
}
