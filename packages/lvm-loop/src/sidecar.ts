import * as z from 'zod/mini';

const digits = z.string().check(z.regex(/^\d+$/));
const uuid = z.string().check(z.regex(/^[0-9A-Za-z]{6}(-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}$/));
const bytes = z.int().check(z.positive());

/** The identity record beside an image. Fields a later version added are kept when it is rewritten. */
export const sidecarSchema = z.looseObject({
  apiVersion: z.literal('platter.dev/v1'),
  kind: z.literal('LoopImage'),
  group: z.string(),
  groupId: z.string(),
  file: z.string(),
  source: z.enum(['VolumeGroup', 'LVMVolumeGroup', 'adopted']),
  path: z.string(),
  ino: digits,
  birthNs: z.nullable(digits),
  fsUuid: z.nullable(z.string()),
  fsid: z.nullable(z.string()),
  bootId: z.nullable(z.string()),
  pvUuid: uuid,
  vgName: z.string(),
  vgUuid: z.nullable(uuid),
  size: bytes,
  sectorSize: z.union([z.literal(512), z.literal(4096)]),
  allocation: z.enum(['full', 'sparse', 'trimmed']),
  directIO: z.enum(['auto', 'off']),
  activate: z.boolean(),
  autoAttach: z.boolean(),
  phase: z.enum(['creating', 'ready', 'cloning', 'leaving', 'removing']),
  origin: z.nullable(z.object({ pvUuid: z.string(), vgUuid: z.string() })),
  createdAt: z.string(),
  tool: z.string(),
});
export type Sidecar = z.infer<typeof sidecarSchema>;

/** Reads a sidecar; a string says why it cannot be one. */
export function parseSidecar(text: string): Sidecar | string {
  try {
    const read = z.safeParse(sidecarSchema, JSON.parse(text));
    if (read.success) return read.data;
    return `its field ${read.error.issues[0]?.path.join('.') || '(root)'} is missing or wrong`;
  } catch {
    return 'it is not JSON';
  }
}

export const sidecarText = (sidecar: Sidecar): string => `${JSON.stringify(sidecar)}\n`;
