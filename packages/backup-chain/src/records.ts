import { record } from '@platter/command/record';
import * as z from 'zod/mini';

const metadata = z.object({ name: z.string() });
const count = z.number();

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

/** One thing that was found. */
export const Finding = record('Finding', {
  metadata,
  code: z.enum(['corrupt', 'unsupported', 'refused', 'noted']),
  severity: z.enum(['info', 'warn', 'error']),
  rule: z.string(),
  object: z.string(),
  at: z.nullable(z.number()),
  message: z.string(),
  dependents: z.array(z.string()),
  fix: z.array(z.string()),
});

/** What a validation of one object came to. */
export const Validation = record('Validation', {
  metadata,
  level: z.enum(['meta', 'fast', 'deep']),
  ok: z.boolean(),
  exit: count,
  layers: count,
  links: count,
  bytesRead: count,
  findings: z.array(z.looseObject({ rule: z.string(), message: z.string() })),
});

/** What a restore would read and write. */
export const RestorePlan = record('RestorePlan', {
  metadata,
  layers: z.array(z.object({ point: z.nullable(z.string()), file: z.string(), size: count, winnerBytes: count })),
  virtualSize: count,
  dataBytes: count,
  zeroBytes: count,
  extents: count,
  readBytes: count,
  links: count,
  engine: z.enum(['native', 'qemu']),
  engineReason: z.string(),
});

/** One run of guest bytes, as `qemu-img map` tells it. */
export const Extent = record('Extent', {
  metadata,
  start: count,
  length: count,
  depth: count,
  data: z.boolean(),
  zero: z.boolean(),
  offset: z.nullable(z.number()),
});

/** What a restore did. */
export const Restore = record('Restore', {
  metadata,
  target: z.string(),
  engine: z.enum(['native', 'qemu']),
  virtualSize: count,
  bytesWritten: count,
  bytesSkipped: count,
  bytesZeroed: count,
  checked: z.boolean(),
  verify: z.enum(['none', 'sample', 'full']),
  verifiedBytes: count,
  contentSha256: z.nullable(z.string()),
  seconds: count,
  exit: count,
});
