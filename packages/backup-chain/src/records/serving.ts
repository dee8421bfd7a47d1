import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

/** Disks that are served over NBD. */
export const Nbd = record('Nbd', {
  metadata,
  uri: z.string(),
  exports: z.array(z.object({ name: z.string(), size: count })),
});
