import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import { parseSize } from '@platter/units/size';
import * as z from 'zod/mini';
import { parseShare } from './spec.ts';
import { type DocumentSpec, parsed } from './volume-group.ts';

const name = z.string();
const directory = z.string().check(z.regex(/^\/[^/]+(\/[^/]+)*$/), z.maxLength(4096));
const size = z.string().check(z.regex(/^[0-9]+(Mi|Gi|Ti|Pi|Ei)$/));

/** Deckhouse's LVMVolumeGroup as far as files are concerned, with the rules of its admission. */
const schema = z.looseObject({
  apiVersion: z.literal('storage.deckhouse.io/v1alpha1'),
  kind: z.literal('LVMVolumeGroup'),
  metadata: z.looseObject({ name, deletionTimestamp: z.optional(z.unknown()) }),
  spec: z.strictObject({
    type: z.literal('Local'),
    local: z.strictObject({ nodeName: name }),
    actualVGNameOnTheNode: name,
    fileDevices: z.array(z.strictObject({ name, directory, size })),
    thinPools: z.optional(z.array(z.strictObject({ name, size: z.string(), allocationLimit: z.optional(z.string()) }))),
  }),
});

/** `kind: LVMVolumeGroup` as a spec; Invalid for one that asks for more than files. */
export function lvmVolumeGroupOf(document: unknown, note: (text: string) => void): DocumentSpec {
  const { spec: raw } = (document ?? {}) as { spec?: object };
  if (raw !== undefined && raw !== null && 'blockDeviceSelector' in raw)
    throw new Invalid('spec.blockDeviceSelector: serves files only');
  const { metadata, spec } = parsed(schema, document);
  if (metadata.deletionTimestamp !== undefined)
    throw new Failure('refused', `will not apply ${metadata.name}: it is being deleted`);
  if (spec.thinPools?.some(({ allocationLimit }) => allocationLimit !== undefined))
    note(`${metadata.name}: allocationLimit has no effect here`);
  return {
    name: metadata.name,
    scheme: 'LVMVolumeGroup',
    vgName: spec.actualVGNameOnTheNode,
    nodeName: spec.local.nodeName,
    files: spec.fileDevices.map((file) => ({ ...file, size: parseSize(file.size), fsUuid: null })),
    extentSize: null,
    sectorSize: null,
    sparse: false,
    directIO: null,
    activate: null,
    reserve: null,
    thinPools: (spec.thinPools ?? []).map((pool) => ({ name: pool.name, size: parseShare(pool.size) })),
  };
}
