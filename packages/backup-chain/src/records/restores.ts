import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

/** What a restore would read and write. */
export const RestorePlan = record('RestorePlan', {
  metadata,
  layers: z.array(z.object({ point: z.nullable(z.string()), file: z.string(), size: count, winnerBytes: count })),
  virtualSize: count,
  dataBytes: count,
  zeroBytes: count,
  extents: count,
  readBytes: count,
  links: count,
  engine: z.enum(['native', 'qemu']),
  engineReason: z.string(),
});

/** One run of guest bytes, as `qemu-img map` tells it. */
export const Extent = record('Extent', {
  metadata,
  start: count,
  length: count,
  depth: count,
  data: z.boolean(),
  zero: z.boolean(),
  offset: z.nullable(z.number()),
});

/** What a restore did. */
export const Restore = record('Restore', {
  metadata,
  target: z.string(),
  engine: z.enum(['native', 'qemu']),
  virtualSize: count,
  bytesWritten: count,
  bytesSkipped: count,
  bytesZeroed: count,
  checked: z.boolean(),
  verify: z.enum(['none', 'sample', 'full']),
  verifiedBytes: count,
  contentSha256: z.nullable(z.string()),
  seconds: count,
  exit: count,
});
