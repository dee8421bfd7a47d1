import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata } from './fields.ts';

/** A repository that was made, or was there already. */
export const Repository = record('Repository', {
  metadata,
  format: z.literal('backup-chain/1'),
  id: z.string(),
  outcome: z.enum(['created', 'exists']),
});

/** What could not be done of several, or a manifest that cannot be read in a listing of those that can. */
export const Failure = record('Failure', {
  metadata,
  failure: z.enum(['failed', 'usage', 'refused', 'busy', 'corrupt', 'unsupported', 'partial']),
  message: z.string(),
  hint: z.optional(z.string()),
});
