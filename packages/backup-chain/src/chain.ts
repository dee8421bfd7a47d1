import { stateId } from '@platter/qcow2/digest';
import { addressName } from './address.ts';
import { type Finding, finding } from './finding.ts';
import { mergesIn } from './layout.ts';
import type { Point } from './manifest.ts';
import type { DiskFacts, Leaf, VmFacts } from './repository.ts';

/** The longest chain that is followed. */
export const maxLinks = 1024;

/** What a point rests on, oldest first, and what is wrong with it. */
export interface Chain {
  links: Point[];
  findings: Finding[];
}

/** What the rules are checked against: one disk of a VM. */
export interface Scene {
  facts: VmFacts;
  disk: DiskFacts;
}

const nameOf = ({ facts, disk }: Scene, id: string): string =>
  addressName({ namespace: facts.namespace, vm: facts.vm, disk: disk.name, ref: id });

const bad = (rule: string, object: string, message: string): Finding => finding('corrupt', [rule, object, message]);

/** All manifests of a disk that could be read. */
export const readable = ({ points }: DiskFacts): Point[] =>
  points.flatMap(({ value }) => (value === null ? [] : [value]));

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

function chainFindings(scene: Scene, links: readonly Point[]): Finding[] {
  const leaf = links.at(-1);
  if (leaf === undefined) return [];
  const merged = new Set(links.flatMap(({ supersedes }) => supersedes));
  const told = leaf.checkpointChain.filter((id) => !merged.has(id));
  const same = told.length === links.length && told.every((id, n) => id === links[n]?.id);
  return same
    ? []
    : [bad('C2', nameOf(scene, leaf.id), `its chain is told as ${told.join(', ')}, but its parents say otherwise`)];
}

function uniqueness(scene: Scene, links: readonly Point[]): Finding[] {
  const points = readable(scene.disk);
  return links.flatMap(({ id }) => {
    const twice = points.filter((point) => point.id === id).length > 1;
    const children = points.filter((point) => point.parent?.id === id).length;
    return [
      ...(twice ? [bad('C3', nameOf(scene, id), 'two manifests have this id')] : []),
      ...(children > 1 ? [bad('C3', nameOf(scene, id), `${children} points have it as parent`)] : []),
    ];
  });
}

function types(scene: Scene, links: readonly Point[]): Finding[] {
  return links.flatMap(({ id, type, parent }, n) => {
    const full = n === 0;
    if ((type === 'full') === full && (parent === null) === full) return [];
    return [
      bad(
        'C4',
        nameOf(scene, id),
        full ? 'the chain begins with it, but it is no full' : 'it stands on others, but is no incremental',
      ),
    ];
  });
}

function states(scene: Scene, links: readonly Point[]): Finding[] {
  return links.flatMap((point, n) => {
    const name = nameOf(scene, point.id);
    const parent = links[n - 1];
    const torn = parent !== undefined && point.parent?.stateId !== parent.stateId;
    return [
      ...(torn ? [bad('C5', name, `it was made on another state than that of ${parent.id}`)] : []),
      ...(stateId(point.disk.uid, point.contentSha256) === point.stateId
        ? []
        : [bad('C5', name, 'its state is not that of its content')]),
    ];
  });
}

function identities(scene: Scene, links: readonly Point[]): Finding[] {
  const { facts, disk } = scene;
  const uid = disk.identity.value?.uid;
  return links.flatMap(({ id, disk: said, repo }) => {
    const placed = said.namespace === facts.namespace && said.vm === facts.vm && said.name === disk.name;
    const ours = placed && repo === facts.repo.id && (uid === undefined || said.uid === uid);
    return ours ? [] : [bad('C6', nameOf(scene, id), 'it is of another disk, VM or repository')];
  });
}

function order(scene: Scene, links: readonly Point[]): Finding[] {
  return links.flatMap((point, n) => {
    const before = links[n - 1];
    if (before === undefined) return [];
    const name = nameOf(scene, point.id);
    if (point.sequence <= before.sequence)
      return [bad('C7', name, `its sequence ${point.sequence} does not follow ${before.sequence}`)];
    const backwards = Date.parse(point.capturedAt) < Date.parse(before.capturedAt);
    return backwards ? [finding('noted', ['C7', name, `its time is before that of ${before.id}`])] : [];
  });
}

const tallied = (size: number) => Math.ceil(size / 65_536) * 32;

/** C8 and C12 for one of a point's two files. */
function fileFindings(
  { disk }: Scene,
  [name, right, size]: readonly [string, boolean, number],
  rule: string,
): Finding[] {
  const path = `${disk.paths.data}/${name}`;
  if (!right) return [bad('C8', JSON.stringify(name), 'it is no name of a file of this point')];
  const found = disk.data.find((file) => file.name === name);
  if (found === undefined) return [bad('C8', path, 'it is missing')];
  if (found.kind !== 'file') return [bad('C8', path, `it is no regular file but a ${found.kind}`)];
  if (found.size !== size) return [bad(rule, path, `it has ${found.size} bytes instead of ${size}`)];
  return found.nlink > 1 ? [finding('noted', ['C8', path, `it has ${found.nlink} names`])] : [];
}

function files(scene: Scene, links: readonly Point[]): Finding[] {
  return links.flatMap(({ id, data, digests }) => {
    const merges = mergesIn(data.file, id, 'qcow2');
    const lists = mergesIn(digests.file, id, 'dig');
    return [
      ...fileFindings(scene, [data.file, merges !== null, data.size], 'C8'),
      ...fileFindings(scene, [digests.file, lists !== null && lists === merges, tallied(data.size)], 'C12'),
    ];
  });
}

function sharing(scene: Scene, links: readonly Point[]): Finding[] {
  const points = readable(scene.disk);
  return links.flatMap((point) => {
    const other = points.find(({ id, data }) => id !== point.id && data.file === point.data.file);
    return other ? [bad('C9', nameOf(scene, point.id), `its data file is also that of ${other.id}`)] : [];
  });
}

/** Rules that a chain can only be judged by as far down as its full. */
const wholeRules = [chainFindings, types] as const;
const linkRules = [uniqueness, states, identities, order, files, sharing] as const;

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
