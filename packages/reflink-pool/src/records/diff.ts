import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { metadata } from './fields.ts';

const side = z.object({
  ref: z.string(),
  path: z.string(),
  ino: z.string(),
  birthNs: z.string(),
  mtimeNs: z.string(),
  size: z.number(),
});
const ranges = z.array(z.tuple([z.number(), z.number()]));

export const diskDiff = record('DiskDiff', {
  metadata,
  from: side,
  to: side,
  format: z.literal('raw'),
  method: z.enum(['same', 'extents', 'content', 'mixed']),
  align: z.number(),
  ranges,
  zeros: ranges,
  complete: z.boolean(),
});

export type DiffRecord = z.infer<typeof diskDiff>;
