import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata, number, text } from './fields.ts';

export const prune = record('Prune', {
  metadata,
  volume: z.string(),
  number: z.number(),
  action: z.enum(['keep', 'remove']),
  reason: z.string(),
  time: z.string(),
  reclaimable: number,
});

export const pruneSummary = record('PruneSummary', {
  metadata,
  removed: z.number(),
  kept: z.number(),
  skipped: z.array(z.string()),
  freed: z.number(),
  freeTarget: number,
  reached: z.boolean(),
});

export const usage = record('Usage', {
  metadata,
  volume: z.string(),
  ref: z.string(),
  apparent: z.number(),
  allocated: z.number(),
  referenced: z.number(),
  reclaimable: z.number(),
  overhead: number,
  method: z.enum(['extents', 'mixed', 'blocks']),
});

export const frag = record('Frag', {
  metadata,
  volume: z.string(),
  ref: z.string(),
  path: z.string(),
  mappings: z.number(),
  meanBytes: z.number(),
  predictedMs: number,
  calibrated: z.boolean(),
  advice: z.nullable(z.enum(['flatten'])),
  /** Of flatten only, with the mappings that there were. */
  outcome: z.optional(z.enum(['flattened', 'already'])),
  before: z.optional(z.number()),
  ms: z.optional(z.number()),
});

export const probe = record('Probe', {
  metadata,
  path: z.string(),
  fsType: z.string(),
  reflink: z.boolean(),
  links: z.boolean(),
  sharedFlag: z.boolean(),
  because: text,
  baseUs: number,
  usPerMapping: number,
  saved: z.boolean(),
});

export type PruneRecord = z.infer<typeof prune>;
export type PruneSummaryRecord = z.infer<typeof pruneSummary>;
export type UsageRecord = z.infer<typeof usage>;
export type FragRecord = z.infer<typeof frag>;
export type ProbeRecord = z.infer<typeof probe>;
