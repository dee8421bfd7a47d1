import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata, number, text } from './fields.ts';

const method = z.enum(['link', 'reflink', 'copy']);

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

export type ExportRecord = z.infer<typeof exported>;
