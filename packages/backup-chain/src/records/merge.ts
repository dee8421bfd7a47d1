import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

/** What a merge did; nothing, and by no method, where it was done before. */
export const Merge = record('Merge', {
  metadata,
  from: z.array(z.string()),
  into: z.string(),
  became: z.enum(['full', 'incremental']),
  method: z.nullable(z.enum(['write', 'reflink'])),
  bytesWritten: count,
  bytesTrashed: count,
});
