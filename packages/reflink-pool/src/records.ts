import { record } from '@platter/command/record';
import * as z from 'zod/mini';

const text = z.nullable(z.string());
const number = z.nullable(z.number());
const metadata = z.object({ name: z.string() });

/** Sizes in bytes, times RFC 3339, `Ms` in milliseconds. */
export const pool = record('Pool', {
  metadata,
  path: z.string(),
  uuid: z.string(),
  fsType: z.string(),
  backend: z.enum(['reflink', 'copy']),
  free: z.number(),
  total: z.number(),
  reserve: z.number(),
  calibration: z.nullable(z.looseObject({ baseUs: z.number(), usPerMapping: z.number() })),
  policy: z.string(),
  volumes: z.number(),
});

export const volume = record('Volume', {
  metadata,
  volume: z.string(),
  uuid: text,
  volumeKind: z.enum(['saved', 'snapshot', 'volatile']),
  rw: z.boolean(),
  state: z.enum(['stopped', 'running', 'unclean', 'headless', 'broken']),
  path: text,
  workPath: text,
  size: number,
  allocated: z.number(),
  format: z.literal('raw'),
  revisions: z.number(),
  source: text,
  outdated: z.nullable(z.boolean()),
  policy: text,
  importing: text,
  holders: z.array(z.string()),
});

export const revision = record('Revision', {
  metadata,
  ref: z.string(),
  volume: z.string(),
  volumeUuid: text,
  number: number,
  path: z.string(),
  size: z.number(),
  allocated: z.number(),
  format: z.literal('raw'),
  time: z.string(),
  twin: z.boolean(),
  side: z.boolean(),
  consistency: z.nullable(z.enum(['frozen', 'crash', 'unclean'])),
  label: text,
  pins: z.array(z.string()),
  expiresAt: text,
  set: text,
  sha256: text,
});

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

const side = z.object({
  ref: z.string(),
  path: z.string(),
  ino: z.string(),
  birthNs: z.string(),
  mtimeNs: z.string(),
  size: z.number(),
});
const ranges = z.array(z.tuple([z.number(), z.number()]));

export const diskDiff = record('DiskDiff', {
  metadata,
  from: side,
  to: side,
  format: z.literal('raw'),
  method: z.enum(['same', 'extents', 'content', 'mixed']),
  align: z.number(),
  ranges,
  zeros: ranges,
  complete: z.boolean(),
});

export const set = record('Set', {
  metadata,
  createdAt: text,
  consistency: z.nullable(z.enum(['frozen', 'crash', 'unclean'])),
  members: z.array(z.looseObject({ volume: z.string(), number: z.number() })),
  pauseMs: number,
  expiresAt: text,
});

export const exported = record('Export', {
  metadata,
  id: z.string(),
  volume: z.string(),
  number: number,
  path: z.string(),
  size: z.number(),
  method: z.enum(['link', 'reflink', 'copy']),
  expiresAt: text,
  outcome: z.enum(['open', 'written', 'ended']),
});

export const removal = record('Removal', { metadata, ref: z.string(), outcome: z.enum(['removed', 'already']) });

export type PoolRecord = z.infer<typeof pool>;
export type VolumeRecord = z.infer<typeof volume>;
export type RevisionRecord = z.infer<typeof revision>;
export type SessionRecord = z.infer<typeof session>;
export type CommitRecord = z.infer<typeof commit>;
export type RevertRecord = z.infer<typeof revert>;
export type ImportRecord = z.infer<typeof imported>;
export type DiffRecord = z.infer<typeof diskDiff>;
export type RemovalRecord = z.infer<typeof removal>;
export type SetRecord = z.infer<typeof set>;
export type ExportRecord = z.infer<typeof exported>;
