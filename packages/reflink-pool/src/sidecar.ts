import { Failure } from '@platter/host/failure';
import * as z from 'zod/mini';

const decimal = z.string().check(z.regex(/^\d+$/));

const calibration = z.looseObject({
  baseUs: z.number(),
  usPerMapping: z.number(),
  fsType: z.string(),
  kernel: z.string(),
  at: z.string(),
});

/** `.platter/pool.json`. Sizes in bytes; policies are kept as their text. */
const poolFile = z.looseObject({
  kind: z.literal('PoolFile'),
  format: z.literal(1),
  uuid: z.string(),
  createdAt: z.string(),
  backend: z.enum(['reflink', 'copy']),
  policy: z.string(),
  prepare: z.enum(['auto', 'never']),
  reserveBytes: z.number(),
  calibration: z.nullable(calibration),
});
export type PoolFile = z.infer<typeof poolFile>;

/** Facts about a name; they count only while file N has this size and mtime. */
const revisionFacts = z.looseObject({
  size: z.number(),
  mtimeNs: decimal,
  side: z.boolean(),
  label: z.nullable(z.string()),
  pins: z.array(z.string()),
  expiresAt: z.nullable(z.string()),
  set: z.nullable(z.string()),
});
export type RevisionFacts = z.infer<typeof revisionFacts>;

/** Facts about an image; bound by its inode too. */
const imageFacts = z.looseObject({
  ino: decimal,
  size: z.number(),
  mtimeNs: decimal,
  sha256: z.nullable(z.string()),
  consistency: z.nullable(z.enum(['frozen', 'crash', 'unclean'])),
});
export type ImageFacts = z.infer<typeof imageFacts>;

const importSession = z.looseObject({ token: z.string(), size: z.number(), startedAt: z.string() });

/** `.platter/volumes/<name>.json`. */
const volumeFile = z.looseObject({
  kind: z.literal('VolumeFile'),
  format: z.literal(1),
  uuid: z.string(),
  name: z.string(),
  volumeKind: z.enum(['saved', 'snapshot', 'volatile']),
  rw: z.boolean(),
  source: z.nullable(z.string()),
  size: z.nullable(z.number()),
  policy: z.nullable(z.string()),
  counter: z.number(),
  import: z.nullable(importSession),
  removing: z.boolean(),
  revisions: z.record(z.string(), revisionFacts),
  images: z.array(imageFacts),
});
export type VolumeFile = z.infer<typeof volumeFile>;

/** `.platter/sessions/<name>.json`: which inode the working copy is, and of which boot. */
const session = z.looseObject({ ino: decimal, bootId: z.string(), startedAt: z.string(), unclean: z.boolean() });
export type Session = z.infer<typeof session>;

const member = z.looseObject({ volume: z.string(), number: z.number() });

/** `.platter/exports/<id>.json`: a link that keeps one image. */
const exportFile = z.looseObject({
  volume: z.string(),
  number: z.nullable(z.number()),
  expiresAt: z.optional(z.nullable(z.string())),
});

/** `.platter/sets/<name>.json`, and the same as `.intent` while it is being made. */
const setFile = z.looseObject({
  members: z.array(member),
  createdAt: z.optional(z.string()),
  consistency: z.optional(z.nullable(z.enum(['frozen', 'crash', 'unclean']))),
  pauseMs: z.optional(z.nullable(z.number())),
  expiresAt: z.optional(z.nullable(z.string())),
});
export type SetFile = z.infer<typeof setFile>;

function json(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** pool.json as it was read; unreadable is corrupt, a newer format unsupported. */
export function readPoolFile(path: string, content: string): PoolFile {
  const value = json(content);
  const read = poolFile.safeParse(value);
  if (read.success) return read.data;
  const { format } = (value ?? {}) as { format?: unknown };
  if (typeof format === 'number' && format > 1)
    throw new Failure('unsupported', `${path} is of format ${format}; this version reads format 1`, {
      hint: 'install a newer reflink-pool',
    });
  throw new Failure('corrupt', `${path} is not a pool file`, {
    hint: `mv ${path} aside and run reflink-pool init: settings are lost, images are not`,
  });
}

/** A volume's sidecar; null when it is not one. */
export function readVolumeFile(content: string): VolumeFile | null {
  const read = volumeFile.safeParse(json(content));
  return read.success ? read.data : null;
}

/** A session; a torn or strange one only means "cannot tell". */
export function readSession(content: string): Session | null {
  const read = session.safeParse(json(content));
  return read.success ? read.data : null;
}

/** The image an export keeps; null when the file is not an export. */
export const readExport = (content: string) => exportFile.safeParse(json(content)).data ?? null;
/** The members of a set; null when the file is not a set. */
export const readSet = (content: string): SetFile | null => setFile.safeParse(json(content)).data ?? null;
