import { stateId } from '@platter/qcow2/digest';
import { readable } from './chain-rules.ts';
import type { Finished } from './draft.ts';
import { clusterSize, dataName, digestName } from './layout.ts';
import { seal } from './manifest.ts';
import type { Point } from './manifest-kinds.ts';
import { heading } from './publish.ts';
import type { VmFacts } from './repository.ts';

/** What makes a new point: where it belongs, what it stands on, and what its finished draft holds. */
export interface NewPoint extends Pick<Point, 'id' | 'type' | 'virtualSize' | 'contentSha256' | 'capture' | 'labels'> {
  facts: VmFacts;
  disk: string;
  uid: string;
  parent: Point | null;
  taken: Pick<Point, 'capturedAt' | 'capturedAtFrom' | 'consistency'>;
  finished: Finished;
}

/** The sequence that the next point of a disk has. */
function nextSequence({ disks }: VmFacts, name: string): number {
  const known = disks.filter((disk) => disk.name === name).flatMap(readable);
  return known.reduce((most, { sequence }) => Math.max(most, sequence), 0) + 1;
}

/** The manifest of a new point, the newest of its disk. */
export function newPoint({ facts, disk, uid, parent, taken, finished, ...own }: NewPoint): Point {
  const { size, dataClusters, zeroClusters, digestsSha256 } = finished;
  return seal({
    ...heading('BackupPoint'),
    ...own,
    ...taken,
    repo: facts.repo.id,
    disk: { namespace: facts.namespace, vm: facts.vm, name: disk, uid },
    sequence: nextSequence(facts, disk),
    parent: parent && { id: parent.id, stateId: parent.stateId },
    checkpointChain: [...(parent?.checkpointChain ?? []), own.id],
    supersedes: [],
    clusterSize,
    stateId: stateId(uid, own.contentSha256),
    data: { file: dataName(own.id, 0), size, dataClusters, zeroClusters },
    digests: { file: digestName(own.id, 0), sha256: digestsSha256 },
  });
}
