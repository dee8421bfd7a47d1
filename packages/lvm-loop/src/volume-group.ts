import { Invalid } from '@platter/units/invalid';
import { parseSize } from '@platter/units/size';
import * as z from 'zod/mini';
import { defaultReserve, type GroupSpec, parseExtent, parseShare } from './spec.ts';

/** A spec out of a document; null: it says nothing about the reserve. */
export type DocumentSpec = Omit<GroupSpec, 'reserve'> & { reserve: GroupSpec['reserve'] | null };

const size = z.union([z.string(), z.int()]);
const name = z.string();

const schema = z.strictObject({
  apiVersion: z.literal('platter.dev/v1'),
  kind: z.literal('VolumeGroup'),
  metadata: z.looseObject({ name }),
  spec: z.strictObject({
    vgName: z.optional(name),
    nodeName: z.optional(name),
    files: z.array(
      z.strictObject({ name, size, directory: z.optional(name), fsUuid: z.optional(z.nullable(z.string())) }),
    ),
    extentSize: z.optional(size),
    sectorSize: z.optional(z.union([z.literal(512), z.literal(4096)])),
    allocation: z.optional(z.enum(['full', 'sparse'])),
    directIO: z.optional(z.enum(['auto', 'off'])),
    activate: z.optional(z.boolean()),
    reserve: z.optional(z.strictObject({ percent: z.optional(z.int()), floor: z.optional(size) })),
    thinPools: z.optional(z.array(z.strictObject({ name, size }))),
  }),
  status: z.optional(z.unknown()),
});

/** Reads a document by its schema; Invalid names the first key that is wrong or unknown. */
export function parsed<T>(model: z.ZodMiniType<T>, document: unknown): T {
  const read = z.safeParse(model, document);
  if (read.success) return read.data;
  throw new Invalid(said(read.error.issues[0]));
}

function said(issue: z.core.$ZodIssue | undefined): string {
  const where = issue?.path.join('.') || 'the document';
  if (issue?.code === 'unrecognized_keys') return `${where} has the unknown key ${issue.keys[0]}`;
  return `${where} is missing or wrong`;
}

/** `kind: VolumeGroup` as a spec; Invalid for anything else. */
export function volumeGroupOf(document: unknown): DocumentSpec {
  const { metadata, spec } = parsed(schema, document);
  return {
    name: metadata.name,
    scheme: 'VolumeGroup',
    vgName: spec.vgName ?? null,
    nodeName: spec.nodeName ?? null,
    files: spec.files.map((file) => ({
      name: file.name,
      size: parseSize(String(file.size)),
      directory: file.directory ?? null,
      fsUuid: file.fsUuid ?? null,
    })),
    extentSize: spec.extentSize === undefined ? null : parseExtent(String(spec.extentSize)),
    sectorSize: spec.sectorSize ?? null,
    sparse: spec.allocation === 'sparse',
    directIO: spec.directIO ?? null,
    activate: spec.activate ?? null,
    reserve: spec.reserve === undefined ? null : reserveOf(spec.reserve),
    thinPools: (spec.thinPools ?? []).map((pool) => ({ name: pool.name, size: parseShare(String(pool.size)) })),
  };
}

function reserveOf({
  percent = defaultReserve.percent,
  floor,
}: {
  percent?: number | undefined;
  floor?: string | number | undefined;
}) {
  if (percent < 0 || percent > 90) throw new Invalid(`spec.reserve.percent is ${percent}: 0 to 90`);
  return { percent, floor: floor === undefined ? defaultReserve.floor : parseSize(String(floor)) };
}
