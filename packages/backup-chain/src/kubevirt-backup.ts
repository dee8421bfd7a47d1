import * as z from 'zod/mini';
import type { Point } from './manifest-kinds.ts';

const volume = z.union([
  z.string(),
  z.looseObject({ volumeName: z.optional(z.string()), name: z.optional(z.string()) }),
]);

/** A `VirtualMachineBackup` object as it was archived beside its files (`backup.kubevirt.io/v1alpha1`). */
export const vmbShape = z.looseObject({
  metadata: z.optional(
    z.looseObject({ name: z.optional(z.string()), creationTimestamp: z.optional(z.nullable(z.string())) }),
  ),
  status: z.optional(
    z.looseObject({
      type: z.optional(z.nullable(z.string())),
      checkpointName: z.optional(z.nullable(z.string())),
      includedVolumes: z.optional(z.nullable(z.array(volume))),
    }),
  ),
});
export type Vmb = z.infer<typeof vmbShape>;

/** `full` or `incremental` in any case; null for another word. */
export function typeOf(word: string): Point['type'] | null {
  const type = word.toLowerCase();
  return type === 'full' || type === 'incremental' ? type : null;
}

/** The volumes that a backup says it holds. */
export const volumesOf = ({ status }: Vmb): string[] =>
  (status?.includedVolumes ?? []).flatMap((one) => {
    const name = typeof one === 'string' ? one : (one.volumeName ?? one.name);
    return name === undefined ? [] : [name];
  });

/** An instant as manifests have it; null for what is none. */
export function instantOf(word: string | null | undefined): string | null {
  const at = /^\d{4}-\d\d-\d\dT/.test(word ?? '') ? Date.parse(word ?? '') : Number.NaN;
  const told = Number.isNaN(at) ? '' : new Date(at).toISOString();
  return /^\d{4}-/.test(told) ? told : null;
}
