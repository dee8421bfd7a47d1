import { record } from '@platter/command/record';
import * as z from 'zod/mini';

const bytes = z.int();
const known = z.nullable(bytes);
const text = z.nullable(z.string());

const phases = [
  'skipped',
  'unknown',
  'creating',
  'cloning',
  'removing',
  'detached',
  'partial',
  'attached',
  'active',
] as const;

const spec = z.looseObject({
  vgName: z.string(),
  files: z.array(z.looseObject({ name: z.string(), directory: z.string(), size: z.string(), fsUuid: text })),
  extentSize: z.optional(z.string()),
  sectorSize: z.int(),
  allocation: z.enum(['full', 'sparse']),
  directIO: z.enum(['auto', 'off']),
  activate: z.boolean(),
  thinPools: z.optional(z.array(z.looseObject({ name: z.string(), size: z.string() }))),
});

const file = z.looseObject({
  name: z.string(),
  path: z.string(),
  loop: text,
  size: bytes,
  fileSize: known,
  allocated: known,
  shared: known,
  promise: z.enum(['kept', 'broken', 'trimmed', 'none', 'unknown']),
  directIO: z.nullable(z.enum(['on', 'off'])),
  sectorSize: z.int(),
  pvUuid: z.string(),
  pvSize: known,
  pvFree: known,
});

const thinPool = z.looseObject({ name: z.string(), size: bytes, dataPercent: text, metadataPercent: text });

const volume = z.looseObject({
  name: z.string(),
  size: bytes,
  type: z.string(),
  pool: text,
  active: z.nullable(z.boolean()),
  open: z.nullable(z.boolean()),
});

const status = z.looseObject({
  phase: z.enum(phases),
  vgUuid: text,
  vgSize: known,
  vgFree: known,
  extentSize: known,
  lvCount: known,
  lvActive: known,
  files: z.array(file),
  thinPools: z.array(thinPool),
  volumes: z.optional(z.array(volume)),
  command: z.optional(text),
  changes: z.array(z.looseObject({ step: z.string(), object: z.string(), reason: z.string() })),
  drift: z.array(
    z.looseObject({ object: z.string(), kind: z.enum(['not-in-spec', 'smaller-in-spec']), detail: z.string() }),
  ),
  failure: z.nullable(z.looseObject({ kind: z.string(), message: z.string(), hint: text })),
});

/** A group: what it was asked to be, and what it is. Sizes in bytes, in `spec` as words. `show` adds volumes and command. */
export const volumeGroup = record('VolumeGroup', { metadata: z.looseObject({ name: z.string() }), spec, status });
export type VolumeGroup = z.infer<typeof volumeGroup>;
export type FileStatus = z.infer<typeof file>;
export type Phase = (typeof phases)[number];

/** A loop device of the host, and whose it is. */
export const loopDevice = record('LoopDevice', {
  device: z.string(),
  backFile: z.string(),
  backIno: text,
  backDev: text,
  owner: z.enum(['ours', 'copy-of-ours', 'foreign']),
  group: text,
  pvUuid: text,
  directIO: z.boolean(),
  sectorSize: z.int(),
  autoclear: z.boolean(),
  readOnly: z.boolean(),
  offset: bytes,
  sizeLimit: bytes,
  holders: z.array(z.string()),
});
export type LoopDevice = z.infer<typeof loopDevice>;

/** A change that a dry run would make, as the shell line that makes it. */
export const step = record('Step', { step: z.string(), object: z.string(), reason: z.string(), shell: z.string() });

/** A group, or one file of it, that is no more. */
export const removed = record('Removed', {
  metadata: z.looseObject({ name: z.string() }),
  images: z.array(z.string()),
  vgUuid: text,
  bytesFreed: bytes,
});
export type Removed = z.infer<typeof removed>;
