import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata } from './fields.ts';

export const verification = record('Verification', {
  metadata,
  ref: z.string(),
  ok: z.boolean(),
  checked: z.enum(['structure', 'content', 'recorded']),
  problems: z.array(z.string()),
});

export const finding = record('Finding', {
  metadata,
  code: z.string(),
  path: z.string(),
  message: z.string(),
  fix: z.string(),
});

export type VerificationRecord = z.infer<typeof verification>;
export type FindingRecord = z.infer<typeof finding>;
