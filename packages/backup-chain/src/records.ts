import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { schemas } from './manifest.ts';

const metadata = z.object({ name: z.string() });
const count = z.number();

/** A point as it lies in the repository, and where it stands there. */
export const BackupPoint = record('BackupPoint', {
  ...schemas.BackupPoint.shape,
  metadata,
  outcome: z.enum(['created', 'unchanged', 'exists']),
  hidden: z.boolean(),
  dependents: count,
  links: count,
  restoreBytes: count,
});

/** A set as it lies in the repository, and what speaks for keeping it. */
export const BackupSet = record('BackupSet', {
  ...schemas.BackupSet.shape,
  metadata,
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
