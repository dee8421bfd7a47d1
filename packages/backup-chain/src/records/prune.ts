import { record } from '@platter/command/record';
import * as z from 'zod/mini';
import { count, metadata } from './fields.ts';

/** What pruning a VM came to: which sets stay and why, and what became of points that no set names any more. */
export const BackupPrune = record('BackupPrune', {
  metadata,
  sets: count,
  kept: z.array(z.object({ id: z.string(), reasons: z.array(z.string()) })),
  expired: z.array(z.string()),
  actions: z.array(
    z.object({ op: z.enum(['trash', 'merge', 'fold']), points: z.array(z.string()), reason: z.string() }),
  ),
  bytesTrashed: count,
  bytesPurged: count,
});

/** One entry of the trash: what was put away, when and why. */
export const TrashEntry = record('TrashEntry', {
  metadata,
  op: z.enum(['merge', 'fold', 'prune', 'sweep']),
  at: z.string(),
  points: z.array(z.string()),
  sets: z.array(z.string()),
  bytes: count,
  reason: z.string(),
});
