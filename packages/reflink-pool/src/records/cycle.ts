import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata, number, text } from './fields.ts';

export const session = record('Session', {
  metadata,
  volume: z.string(),
  path: z.string(),
  outcome: z.enum(['started', 'already', 'resumed', 'prepared']),
  method: z.enum(['prepared', 'reflink', 'link', 'sparse', 'copy', 'none']),
  unclean: z.boolean(),
  mappings: number,
  predictedMs: number,
  ms: z.number(),
});

export const commit = record('Commit', {
  metadata,
  volume: z.string(),
  outcome: z.enum(['committed', 'unchanged', 'discarded', 'saved', 'removed', 'already']),
  savedAs: number,
  head: text,
  pruned: z.array(z.number()),
  /** A copy for the next start is there, or is made as soon as this is said. */
  prepared: z.boolean(),
  unclean: z.boolean(),
  ms: z.number(),
});

export const revert = record('Revert', {
  metadata,
  volume: z.string(),
  to: number,
  savedAs: number,
  outcome: z.enum(['reverted', 'already']),
  ms: z.number(),
});

export const imported = record('Import', {
  metadata,
  volume: z.string(),
  outcome: z.enum(['imported', 'unchanged', 'open', 'aborted']),
  token: text,
  path: text,
  size: number,
  sha256: text,
  method: z.nullable(z.enum(['reflink', 'copy', 'stream', 'session'])),
  savedAs: number,
});

export const removal = record('Removal', { metadata, ref: z.string(), outcome: z.enum(['removed', 'already']) });

export type SessionRecord = z.infer<typeof session>;
export type CommitRecord = z.infer<typeof commit>;
export type RevertRecord = z.infer<typeof revert>;
export type ImportRecord = z.infer<typeof imported>;
export type RemovalRecord = z.infer<typeof removal>;
