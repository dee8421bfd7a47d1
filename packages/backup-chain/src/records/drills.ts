import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

/** What a drill showed of a point; its receipt. */
export const Drill = record('Drill', {
  metadata,
  format: z.literal('backup-chain/1'),
  repo: z.nullable(z.string()),
  disk: z.nullable(z.looseObject({ namespace: z.string(), vm: z.string(), name: z.string(), uid: z.string() })),
  point: z.string(),
  set: z.nullable(z.string()),
  at: z.string(),
  via: z.enum(['scratch', 'overlay', 'read']),
  engine: z.enum(['native', 'qemu']),
  content: z.object({ recorded: z.nullable(z.string()), found: z.nullable(z.string()) }),
  equal: z.nullable(z.boolean()),
  filesystems: z.array(
    z.object({
      offset: count,
      type: z.string(),
      result: z.enum(['ok', 'bad', 'inconclusive', 'not-checked']),
      rc: z.nullable(count),
    }),
  ),
  result: z.enum(['ok', 'failed']),
  failure: z.nullable(z.string()),
  bytes: count,
  seconds: count,
  host: z.string(),
  tool: z.string(),
  manifestSha256: z.nullable(z.string()),
  previous: z.nullable(z.string()),
  self: z.string(),
});
