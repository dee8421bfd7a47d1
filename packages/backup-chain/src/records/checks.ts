import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

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
  /** Where the guest has it, when it is in a file's data. */
  guest: z.optional(z.nullable(z.number())),
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

/** Whether a device or file holds what a point does. */
export const BackupVerification = record('BackupVerification', {
  metadata,
  against: z.string(),
  equal: z.boolean(),
  bytesRead: count,
  firstDifference: z.nullable(z.number()),
  differingClusters: count,
});

/** A data file that was read whole. */
export const Scrub = record('Scrub', {
  metadata,
  file: z.string(),
  bytes: count,
  ok: z.boolean(),
  at: z.string(),
});
