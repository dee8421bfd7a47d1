import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata, number, text } from './fields.ts';

const method = z.enum(['link', 'reflink', 'copy']);

export const cloned = record('Clone', {
  metadata,
  volume: z.string(),
  from: z.string(),
  path: z.string(),
  method,
  ms: z.number(),
});

/** Of one that had ended before, only the id is known; a file written elsewhere has none. */
export const exported = record('Export', {
  metadata,
  id: text,
  volume: text,
  number: number,
  path: text,
  size: number,
  method: z.nullable(method),
  expiresAt: text,
  outcome: z.enum(['open', 'written', 'ended']),
});

/** `savedAs` is the number of the state before, where it has one. */
export const resized = record('Resize', {
  metadata,
  volume: z.string(),
  from: z.number(),
  to: z.number(),
  savedAs: number,
  loops: z.array(z.object({ name: z.string(), refreshed: z.boolean() })),
});

export type CloneRecord = z.infer<typeof cloned>;
export type ResizeRecord = z.infer<typeof resized>;
export type ExportRecord = z.infer<typeof exported>;
