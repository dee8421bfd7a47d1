import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata, number, text } from './fields.ts';

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

export type ExportRecord = z.infer<typeof exported>;
