import type { Call } from '@platter/command/call';
import { stateId } from '@platter/qcow2/digest';
import type { Prepared, Run } from './capture.ts';
import { readable } from './chain-rules.ts';
import type { Finished } from './draft.ts';
import { dataName, digestName } from './layout.ts';
import { seal } from './manifest.ts';
import type { Point } from './manifest-kinds.ts';
import { heading } from './publish.ts';

/** Who captures what, as which disk. */
export interface Captor {
  call: Call<unknown>;
  run: Run;
  prepared: Prepared;
  uid: string;
}

/** The point's manifest, whole but for what only the finished draft knows. */
export function pointOf({ call, run, prepared, uid }: Captor, content: string, finished: Finished): Point {
  const { wish, facts, id, at } = run;
  const { decision, origin, parent } = prepared;
  const before = decision.type === 'full' ? null : (parent?.point ?? null);
  const sequence =
    Math.max(
      0,
      ...facts.disks
        .filter(({ name }) => name === prepared.wish.disk)
        .flatMap(readable)
        .map((one) => one.sequence),
    ) + 1;
  const ref = prepared.wish.list?.to.ref ?? null;
  const { ino, birthNs, mtimeNs, size } = origin.identity;
  return seal({
    ...heading('BackupPoint'),
    repo: facts.repo.id,
    disk: { namespace: facts.namespace, vm: facts.vm, name: prepared.wish.disk, uid },
    id,
    sequence,
    type: decision.type,
    parent: before && { id: before.id, stateId: before.stateId },
    checkpointChain: [...(before?.checkpointChain ?? []), id],
    supersedes: [],
    virtualSize: origin.size,
    clusterSize: 65_536 as const,
    contentSha256: content,
    stateId: stateId(uid, content),
    capturedAt: at,
    capturedAtFrom: wish.at === undefined ? ('clock' as const) : ('given' as const),
    consistency: wish.consistency,
    capture: {
      engine: decision.engine,
      fullReason: decision.fullReason,
      checkpoint: null,
      unproven: [],
      tool: `backup-chain ${call.version}`,
      source: { path: origin.path, ref, format: origin.format, ino, birthNs, mtimeNs, size, sourceRoot: null },
    },
    data: {
      file: dataName(id, 0),
      size: finished.size,
      dataClusters: finished.dataClusters,
      zeroClusters: finished.zeroClusters,
    },
    digests: { file: digestName(id, 0), sha256: finished.digestsSha256 },
    labels: wish.labels,
  });
}
