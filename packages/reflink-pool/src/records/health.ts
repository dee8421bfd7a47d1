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
  code: z.enum([
    'foreign-file',
    'bad-revision-name',
    'duplicate-number',
    'symlink',
    'cow-file',
    'writable-head',
    'shared-working-copy',
    'unclean',
    'broken',
    'headless',
    'stale-prepared',
    'orphan-sidecar',
    'unfinished-set',
    'expired-export',
    'nested-mount',
    'nocow-mix',
    'fragmented',
    'low-space',
    'not-in-use-check',
    'shared-head',
  ]),
  path: z.string(),
  message: z.string(),
  fix: z.string(),
});

export type VerificationRecord = z.infer<typeof verification>;
export type FindingRecord = z.infer<typeof finding>;
