import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { consistency, metadata, number, text } from './fields.ts';

export const snapshot = record('Snapshot', {
  metadata,
  volume: z.string(),
  number: number,
  outcome: z.enum(['created', 'already']),
  consistency: consistency,
  set: text,
  mappings: number,
  predictedMs: number,
  pauseMs: number,
});

export type SnapshotRecord = z.infer<typeof snapshot>;
