import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

const common = {
  metadata,
  format: z.literal('backup-chain/1'),
  repo: z.string(),
  id: z.string(),
  capturedAt: z.string(),
  capturedAtFrom: z.enum(['clock', 'given', 'mtime', 'oadp', 'kubevirt']),
  consistency: z.enum(['offline', 'frozen', 'crash', 'unknown']),
  labels: z.record(z.string(), z.string()),
  self: z.string(),
};

const source = z.looseObject({
  path: z.string(),
  ref: z.nullable(z.string()),
  format: z.enum(['raw', 'qcow2']),
  ino: z.string(),
  birthNs: z.string(),
  mtimeNs: z.string(),
  size: count,
  sourceRoot: z.nullable(z.string()),
});

/** A point as it lies in the repository, and where it stands there. */
export const BackupPoint = record('BackupPoint', {
  ...common,
  disk: z.looseObject({ namespace: z.string(), vm: z.string(), name: z.string(), uid: z.string() }),
  sequence: count,
  type: z.enum(['full', 'incremental']),
  parent: z.nullable(z.looseObject({ id: z.string(), stateId: z.string() })),
  checkpointChain: z.array(z.string()),
  supersedes: z.array(z.string()),
  virtualSize: count,
  clusterSize: count,
  contentSha256: z.string(),
  stateId: z.string(),
  capture: z.looseObject({
    engine: z.enum(['diff', 'fiemap', 'bitmap', 'qmp', 'import-files', 'import-oadp', 'import-kubevirt']),
    fullReason: z.nullable(z.string()),
    checkpoint: z.nullable(z.string()),
    unproven: z.array(z.string()),
    tool: z.string(),
    source,
  }),
  data: z.looseObject({ file: z.string(), size: count, dataClusters: count, zeroClusters: count }),
  digests: z.looseObject({ file: z.string(), sha256: z.string() }),
  outcome: z.enum(['created', 'unchanged', 'exists']),
  hidden: z.boolean(),
  dependents: count,
  links: count,
  restoreBytes: count,
});

/** A set as it lies in the repository, and what speaks for keeping it. */
export const BackupSet = record('BackupSet', {
  ...common,
  namespace: z.string(),
  vm: z.string(),
  members: z.array(
    z.looseObject({ disk: z.string(), uid: z.string(), point: z.string(), stateId: z.string(), virtualSize: count }),
  ),
  attachments: z.array(z.looseObject({ name: z.string(), sha256: z.string() })),
  kept: z.array(z.string()),
  pins: z.array(z.string()),
  lastDrill: z.nullable(z.object({ at: z.string(), result: z.string() })),
});
