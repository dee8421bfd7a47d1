import { dependents } from './chain.ts';
import { readable } from './chain-rules.ts';
import type { BackupSet, Point } from './manifest-kinds.ts';
import type { LastDrill } from './receipts.ts';
import type { DiskFacts, VmFacts } from './repository.ts';
import { pointAddress, setAddress } from './telling.ts';

type Outcome = 'created' | 'unchanged' | 'exists';

/** Whether no set names a point any more. */
export const isHidden = ({ sets }: VmFacts, disk: string, id: string): boolean =>
  !sets.some(({ value }) => value?.members.some((member) => member.disk === disk && member.point === id));

/** Where a point stands: what became of it, who rests on it, and on how many it rests. */
export interface Standing {
  outcome: Outcome;
  hidden: boolean;
  dependents: number;
  links: number;
  restoreBytes: number;
}

/** The record of a point: its manifest, and where it stands. */
export const pointRecord = (point: Point, standing: Standing) => ({
  ...point,
  metadata: { name: pointAddress(point) },
  ...standing,
});

/** Where a point stands in what lies there: who rests on it, on how many it rests, how much a restore reads at most. */
export function standingOf(
  facts: VmFacts,
  disk: DiskFacts,
  [point, links]: readonly [Point, readonly Point[]],
): Standing {
  const clusters = links.reduce((sum, { data }) => sum + data.dataClusters, 0);
  return {
    outcome: 'exists',
    hidden: isHidden(facts, disk.name, point.id),
    dependents: dependents(disk, point.id).length - 1,
    links: links.length,
    restoreBytes: Math.min(clusters * point.clusterSize, point.virtualSize),
  };
}

/** The record of a set: its manifest, the pins on it, and what its last drill showed. */
export const setRecord = (set: BackupSet, pins: readonly string[] = [], lastDrill: LastDrill | null = null) => ({
  ...set,
  metadata: { name: setAddress(set) },
  kept: [] as string[],
  pins: [...pins],
  lastDrill,
});

/** The names of the pins on a set. */
export const pinsOn = ({ pins }: VmFacts, id: string): string[] =>
  pins.flatMap(({ name, value }) => (value !== null && name === `${id}.${value.name}.json` ? [value.name] : []));

/** The points of a disk, oldest first. */
export const inOrder = (disk: DiskFacts): Point[] => readable(disk).sort((a, b) => a.sequence - b.sequence);

/** How far a VM's disks had come in a set: what orders sets of one moment. */
function progressOf({ disks }: VmFacts, { members }: BackupSet): number {
  const sequences = members.map(({ disk, point }) => {
    const known = disks.find(({ name }) => name === disk);
    return known ? (readable(known).find(({ id }) => id === point)?.sequence ?? 0) : 0;
  });
  return sequences.reduce((sum, sequence) => sum + sequence, 0);
}

/** The sets of a VM, oldest first. */
export function setsInOrder(facts: VmFacts): BackupSet[] {
  const sets = facts.sets.flatMap(({ value }) => (value === null ? [] : [value]));
  const keyed = sets.map((set) => ({ set, at: Date.parse(set.capturedAt), come: progressOf(facts, set) }));
  return keyed.sort((a, b) => a.at - b.at || a.come - b.come || (a.set.id < b.set.id ? -1 : 1)).map(({ set }) => set);
}
