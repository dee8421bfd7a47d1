import * as z from 'zod/mini';

/** The schema of one kind of record on stdout; unknown fields are let through, for changes are additive. */
export function record<K extends string, S extends z.core.$ZodLooseShape>(kind: K, shape: S) {
  return z.looseObject({ apiVersion: z.literal('platter.dev/v1'), kind: z.literal(kind), ...shape });
}
