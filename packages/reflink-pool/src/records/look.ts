import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { consistency, metadata, number, text } from './fields.ts';

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
  consistency: consistency,
  label: text,
  pins: z.array(z.string()),
  expiresAt: text,
  set: text,
  sha256: text,
});

export const set = record('Set', {
  metadata,
  createdAt: text,
  consistency: consistency,
  members: z.array(z.looseObject({ volume: z.string(), number: z.number() })),
  pauseMs: number,
  expiresAt: text,
});

export type PoolRecord = z.infer<typeof pool>;
export type VolumeRecord = z.infer<typeof volume>;
export type RevisionRecord = z.infer<typeof revision>;
export type SetRecord = z.infer<typeof set>;
