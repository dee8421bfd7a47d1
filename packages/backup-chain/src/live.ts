import { Failure } from '@platter/host/failure';
import type { CaptureWish, DiskWish } from './capture.ts';
import { type Mark, marksOf, strayMarks } from './checkpoint.ts';
import type { Decision, Parent } from './engine.ts';
import { parentOf, refuseOther } from './preparing.ts';
import { decidePush } from './push-engine.ts';
import { type LiveBitmap, type Monitor, type Node, nodeOfDevice, nodesOf } from './qemu-monitor.ts';
import type { VmFacts } from './repository.ts';
import type { Standing } from './standing.ts';

/** A disk of a running QEMU that passed: what is pushed of it, on what. */
export interface Pushing {
  wish: DiskWish;
  node: Node;
  /** Bitmaps of this repository, without those of broken-off runs. */
  marks: readonly Mark<LiveBitmap>[];
  /** Names of bitmaps that broken-off runs left. */
  strays: readonly string[];
  parent: Parent | null;
  decision: Decision;
}

export const standingOf = ({ wish, parent, decision }: Pushing): Standing => ({ disk: wish.disk, parent, decision });

async function nodeFor(monitor: Monitor, { disk, path }: DiskWish, nodes: readonly Node[]): Promise<Node> {
  const byName = nodes.find(({ name }) => name === path);
  const name = byName?.name ?? (await nodeOfDevice(monitor, path));
  const node = nodes.find((one) => one.name === name);
  if (node !== undefined) return node;
  const known = nodes.map((one) => one.name).filter((one) => !one.startsWith('#'));
  throw new Failure('refused', `QEMU has no node and no device ${path} for the disk ${disk}`, {
    hint: `its nodes are ${known.join(', ')}`,
  });
}

/** The nodes of all disks, in the order of the disks' names; 3 where there is none, or one for two. */
export async function openNodes(monitor: Monitor, { disks }: CaptureWish): Promise<[DiskWish, Node][]> {
  const nodes = await nodesOf(monitor);
  const found: [DiskWish, Node][] = [];
  for (const disk of [...disks].sort((a, b) => (a.disk < b.disk ? -1 : 1))) {
    const node = await nodeFor(monitor, disk, nodes);
    const twin = found.find(([, other]) => other.name === node.name);
    if (twin) throw new Failure('refused', `${twin[0].disk} and ${disk.disk} are one node, ${node.name}`);
    found.push([disk, node]);
  }
  return found;
}

/** Decides what is pushed of a disk; refuses what cannot be. */
export function preparePush(facts: VmFacts, wish: CaptureWish, [disk, node]: readonly [DiskWish, Node]): Pushing {
  refuseOther(facts, disk);
  const parent = parentOf(facts, disk.disk);
  const ours = marksOf(node.bitmaps, facts.repo.id);
  const strays = strayMarks(ours, facts, disk.disk).map(({ name }) => name);
  const marks = ours.filter(({ name }) => !strays.includes(name));
  return { wish: disk, node, marks, strays, parent, decision: decidePush(wish, { parent, size: node.size, marks }) };
}
