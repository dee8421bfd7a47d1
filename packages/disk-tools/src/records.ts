import { record } from '@platter/command/record';
import * as z from 'zod/mini';

const finding = z.object({
  rule: z.string(),
  verdict: z.enum(['refuse', 'corrupt', 'warn']),
  field: z.string(),
  at: z.optional(z.number()),
  value: z.string(),
  message: z.string(),
});

/** A disk image as ensure, inspect and verify tell of it; sizes and offsets in bytes. */
export const Disk = record('Disk', {
  action: z.enum(['created', 'kept', 'inspected', 'verified']),
  changed: z.boolean(),
  path: z.string(),
  format: z.enum(['qcow2', 'raw', 'vmdk', 'ova', 'gcp-tar']),
  /** Absent where nothing but the format was recognised. */
  virtualSize: z.optional(z.number()),
  fileSize: z.number(),
  allocatedSize: z.number(),
  device: z.string(),
  inode: z.string(),
  layout: z.enum(['whole', 'mbr', 'gpt', 'none']),
  partitions: z.array(z.object({ index: z.number(), type: z.string(), start: z.number(), size: z.number() })),
  filesystems: z.array(
    z.object({
      type: z.string(),
      label: z.string(),
      uuid: z.string(),
      offset: z.number(),
      size: z.number(),
      state: z.enum(['clean', 'recover', 'errors', 'unknown']),
      partition: z.optional(z.number()),
    }),
  ),
  /** qcow2 only; feature words in hexadecimal. */
  header: z.optional(z.record(z.string(), z.unknown())),
  references: z.array(z.object({ kind: z.enum(['backing', 'data-file', 'parent', 'extent']), text: z.string() })),
  findings: z.array(finding),
  census: z.optional(z.record(z.string(), z.number())),
  contentSha256: z.optional(z.string()),
  warnings: z.array(z.string()),
});
export type Disk = z.infer<typeof Disk>;
