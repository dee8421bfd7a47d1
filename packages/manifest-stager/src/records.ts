import { record } from '@platter/command/record';
import * as z from 'zod/mini';

const mode = z.enum(['every-boot', 'first-boot']);
const hex = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const count = z.int().check(z.nonnegative());

/** A staged manifest, as `list` and `show` print it. */
export const manifestRecord = record('Manifest', {
  name: z.string(),
  mode,
  path: z.string(),
  bytes: count,
  sha256: hex,
  modifiedAt: z.string(),
  addon: z.string(),
  objects: z.array(
    z.object({ apiVersion: z.string(), kind: z.string(), namespace: z.nullable(z.string()), name: z.string() }),
  ),
});

/** What a mutating verb did to one manifest. */
export const manifestChangeRecord = record('ManifestChange', {
  name: z.string(),
  mode,
  action: z.enum(['added', 'replaced', 'removed', 'unchanged', 'promoted', 'already']),
  changed: z.boolean(),
  path: z.string(),
  bytes: count,
  sha256: hex,
  previousSha256: z.nullable(hex),
});

export type ManifestRecord = z.infer<typeof manifestRecord>;
export type ManifestChange = z.infer<typeof manifestChangeRecord>;
