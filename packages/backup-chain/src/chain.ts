import { addressName } from './address.ts';
import { bad, linkRules, nameOf, readable, type Scene, wholeRules } from './chain-rules.ts';
import { type Finding, finding } from './finding.ts';
import type { Point } from './manifest-kinds.ts';
import type { DiskFacts, Leaf, VmFacts } from './repository.ts';

/** The longest chain that is followed. */
export const maxLinks = 1024;

/** What a point rests on, oldest first, and what is wrong with it. */
export interface Chain {
  links: Point[];
  findings: Finding[];
}

/** C11: what is no manifest, in words. */
export function unreadable(leaves: readonly Leaf<unknown>[]): Finding[] {
  return leaves.flatMap(({ path, fault }) =>
    fault === null ? [] : [finding(fault.code, ['C11', path, fault.message])],
  );
}

/** C1, or what is wrong with the manifest that should be in the gap. */
function gap(scene: Scene, id: string): Finding[] {
  const lost = scene.disk.points.filter(({ name, value }) => value === null && name.slice(7) === `${id}.json`);
  return lost.length > 0 ? unreadable(lost) : [bad('C1', nameOf(scene, id), 'there is no manifest of it')];
}

/** Follows `parent` from a point down; stops at a full, at a gap (C1), in a circle (C3) or after 1024 links. */
function walk(scene: Scene, id: string): Chain {
  const points = readable(scene.disk);
  const links: Point[] = [];
  let next: string | undefined = id;
  while (next !== undefined) {
    const here = points.find((point) => point.id === next);
    if (here === undefined) return { links, findings: gap(scene, next) };
    if (links.includes(here)) return { links, findings: [bad('C3', nameOf(scene, next), 'it is its own ancestor')] };
    links.unshift(here);
    if (links.length > maxLinks)
      return { links, findings: [bad('C3', nameOf(scene, id), 'it has more than 1024 links')] };
    next = here.parent?.id;
  }
  return { links, findings: [] };
}

/** The chain of a point and every C rule about it that is broken (spec 3.6). */
export function chainOf(scene: Scene, id: string): Chain {
  const { links, findings } = walk(scene, id);
  const rules = findings.length > 0 ? linkRules : [...wholeRules, ...linkRules];
  const own = unreadable([scene.disk.identity]);
  return { links, findings: [...own, ...findings, ...rules.flatMap((rule) => rule(scene, links))] };
}

/** C10 and C11 for one set. */
export function setFindings(facts: VmFacts, set: VmFacts['sets'][number]): Finding[] {
  if (set.value === null) return unreadable([set]);
  const { id, members, repo, namespace, vm } = set.value;
  const name = addressName({ namespace: facts.namespace, vm: facts.vm, disk: null, ref: id });
  const ours = repo === facts.repo.id && namespace === facts.namespace && vm === facts.vm && set.name === `${id}.json`;
  const missing = members.filter(({ disk, point, stateId: state }) => {
    const known = facts.disks.find((one) => one.name === disk);
    return !known || !readable(known).some((one) => one.id === point && one.stateId === state);
  });
  return [
    ...(ours ? [] : [bad('C10', name, 'it is of another VM or repository, or under another name')]),
    ...missing.map(({ disk, point }) =>
      bad('C10', name, `it names ${disk}@${point}, which is not there in that state`),
    ),
  ];
}

/** The points of a disk that rest on one, itself first: what is lost when its file is. */
export function dependents(disk: DiskFacts, id: string): string[] {
  const found = [id];
  for (const one of found) {
    const children = readable(disk).filter(({ parent }) => parent?.id === one);
    found.push(...children.map((child) => child.id).filter((child) => !found.includes(child)));
  }
  return found;
}

/** Of points of a disk those that no other of them rests on: their chains have all of them. What goes round stays in. */
export function tipsOf(disk: DiskFacts, ids: readonly string[]): string[] {
  const parents = new Map(readable(disk).map(({ id, parent }) => [id, parent?.id]));
  const under = (from: readonly string[]): Set<string> => {
    const found = new Set<string>();
    for (const id of from)
      for (let next = parents.get(id); next !== undefined && !found.has(next); next = parents.get(next))
        found.add(next);
    return found;
  };
  const lower = under(ids);
  const tips = [...new Set(ids)].filter((id) => !lower.has(id));
  const covered = under(tips);
  return [...tips, ...ids.filter((id) => lower.has(id) && !covered.has(id))];
}
