import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

/** What was made of a point or a set outside the repository. */
export const BackupExport = record('BackupExport', {
  metadata,
  form: z.enum(['flat', 'chain', 'oadp']),
  path: z.string(),
  files: z.array(z.string()),
  bytes: count,
});
