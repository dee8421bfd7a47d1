import { stateId } from '@platter/qcow2/digest';
import { addressName } from './address.ts';
import { type Finding, finding } from './finding.ts';
import { mergesIn } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import type { DiskFacts, VmFacts } from './repository.ts';

/** What the rules are checked against: one disk of a VM. */
export interface Scene {
  facts: VmFacts;
  disk: DiskFacts;
}

/** The address of a point of the scene. */
export const nameOf = ({ facts, disk }: Scene, id: string): string =>
  addressName({ namespace: facts.namespace, vm: facts.vm, disk: disk.name, ref: id });

/** A broken rule that makes a chain unfit. */
export const bad = (rule: string, object: string, message: string): Finding =>
  finding('corrupt', [rule, object, message]);

/** All manifests of a disk that could be read. */
export const readable = ({ points }: DiskFacts): Point[] =>
  points.flatMap(({ value }) => (value === null ? [] : [value]));

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
  const merged = new Set(points.flatMap(({ supersedes }) => supersedes));
  return links.flatMap(({ id }) => {
    const twice = points.filter((point) => point.id === id).length > 1;
    const unmerged = points.filter((point) => point.parent?.id === id && !merged.has(point.id));
    const children = new Set(unmerged.map((child) => child.id)).size;
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
export const wholeRules = [chainFindings, types] as const;
/** Rules that each link is judged by, on its own or beside its parent. */
export const linkRules = [uniqueness, states, identities, order, files, sharing] as const;
