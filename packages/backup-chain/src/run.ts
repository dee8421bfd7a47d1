import type { Call } from '@platter/command/call';
import type { Captured, CaptureWish } from './capture.ts';
import { checkpointName } from './checkpoint.ts';
import type { Decision } from './engine.ts';
import type { BackupSet, Point, Source } from './manifest-kinds.ts';
import { heading } from './publish.ts';
import type { VmFacts } from './repository.ts';

/** What all disks of a capture run have in common. */
export interface Run {
  wish: CaptureWish;
  facts: VmFacts;
  id: string;
  taken: Pick<Point, 'capturedAt' | 'capturedAtFrom' | 'consistency'>;
}

/** How a point came to be, as its manifest tells. */
export const provenance = (
  { version }: Call<unknown>,
  { facts, id }: Run,
  { decision, source }: { decision: Decision; source: Source },
): Point['capture'] => ({
  engine: decision.engine,
  fullReason: decision.fullReason,
  checkpoint: decision.tracks ? checkpointName(facts.repo.id, id) : null,
  unproven: [],
  tool: `backup-chain ${version}`,
  source,
});

/** When a run's disks were as they are, and in what state. */
export const takenAt = ({ at, consistency }: CaptureWish, now: number): Run['taken'] => ({
  capturedAt: new Date(at ?? now).toISOString(),
  capturedAtFrom: at === undefined ? 'clock' : 'given',
  consistency,
});

function memberOf({ point }: Captured): BackupSet['members'][number] {
  const { disk, id, stateId, virtualSize } = point;
  return { disk: disk.name, uid: disk.uid, point: id, stateId, virtualSize };
}

/** The set of a run's disks, before it is sealed. */
export const setOf = ({ wish, facts, id, taken }: Run, captured: readonly Captured[]) => ({
  ...heading('BackupSet'),
  repo: facts.repo.id,
  namespace: facts.namespace,
  vm: facts.vm,
  id,
  ...taken,
  members: captured.map(memberOf),
  labels: wish.labels,
});
