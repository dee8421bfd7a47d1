import { Failure } from '@platter/host/failure';
import {
  type Check,
  decimal,
  listOf,
  mapOf,
  maybe,
  number,
  type Of,
  object,
  oneOf,
  orNull,
  text,
  truth,
} from './shape.ts';

const calibration = object({
  baseUs: number,
  usPerMapping: number,
  fsType: text,
  kernel: text,
  at: text,
});

/** `.platter/pool.json`. Sizes in bytes; policies are kept as their text. */
const poolFile = object({
  kind: oneOf('PoolFile'),
  format: oneOf(1),
  uuid: text,
  createdAt: text,
  backend: oneOf('reflink', 'copy'),
  policy: text,
  prepare: oneOf('auto', 'never'),
  reserveBytes: number,
  calibration: orNull(calibration),
});
export type PoolFile = Of<typeof poolFile>;

/** Facts about a name; they count only while file N has this size and mtime. */
const revisionFacts = object({
  size: number,
  mtimeNs: decimal,
  side: truth,
  label: orNull(text),
  pins: listOf(text),
  expiresAt: orNull(text),
  set: orNull(text),
});
export type RevisionFacts = Of<typeof revisionFacts>;

/** Facts about an image; bound by its inode too. */
const imageFacts = object({
  ino: decimal,
  size: number,
  mtimeNs: decimal,
  /** Tells an image that was written from another one that got its inode number. */
  birthNs: maybe(decimal),
  sha256: orNull(text),
  consistency: orNull(oneOf('frozen', 'crash', 'unclean')),
});
export type ImageFacts = Of<typeof imageFacts>;

const importSession = object({ token: text, size: number, startedAt: text });

/** `.platter/volumes/<name>.json`. */
const volumeFile = object({
  kind: oneOf('VolumeFile'),
  format: oneOf(1),
  uuid: text,
  name: text,
  volumeKind: oneOf('saved', 'snapshot', 'volatile'),
  rw: truth,
  source: orNull(text),
  size: orNull(number),
  policy: orNull(text),
  counter: number,
  import: orNull(importSession),
  removing: truth,
  revisions: mapOf(revisionFacts),
  images: listOf(imageFacts),
});
export type VolumeFile = Of<typeof volumeFile>;

/** `.platter/sessions/<name>.json`: which inode the working copy is, and of which boot. */
const session = object({ ino: decimal, bootId: text, startedAt: text, unclean: truth });
export type Session = Of<typeof session>;

const member = object({ volume: text, number: number });

/** `.platter/exports/<id>.json`: of which volume the image is, how it was called, and until when it is kept. */
const exportFile = object({
  volume: text,
  number: orNull(number),
  expiresAt: maybe(orNull(text)),
  method: maybe(oneOf('link', 'reflink', 'copy')),
});
export type ExportFile = Of<typeof exportFile>;

/** `.platter/sets/<name>.json`, and the same as `.intent` while it is being made. */
const setFile = object({
  members: listOf(member),
  createdAt: maybe(text),
  consistency: maybe(orNull(oneOf('frozen', 'crash', 'unclean'))),
  pauseMs: maybe(orNull(number)),
  expiresAt: maybe(orNull(text)),
});
export type SetFile = Of<typeof setFile>;

function json(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** What a file says; null when it is not JSON of this shape. */
function read<T>(check: Check<T>, content: string): T | null {
  const value = json(content);
  return check(value) ? value : null;
}

/** pool.json as it was read; unreadable is corrupt, a newer format unsupported. */
export function readPoolFile(path: string, content: string): PoolFile {
  const value = json(content);
  if (poolFile(value)) return value;
  const { format } = (value ?? {}) as { format?: unknown };
  if (typeof format === 'number' && format > 1)
    throw new Failure('unsupported', `${path} is of format ${format}; this version reads format 1`, {
      hint: 'install a newer reflink-pool',
    });
  throw new Failure('corrupt', `${path} is not a pool file`, {
    hint: `mv ${path} aside, then reflink-pool adopt: settings are lost, images are not`,
  });
}

/** A volume's sidecar; null when it is not one. */
export function readVolumeFile(content: string): VolumeFile | null {
  return read(volumeFile, content);
}

/** A session; a torn or strange one only means "cannot tell". */
export function readSession(content: string): Session | null {
  return read(session, content);
}

/** The image an export keeps; null when the file is not an export. */
export const readExport = (content: string): ExportFile | null => read(exportFile, content);
/** The members of a set; null when the file is not a set. */
export const readSet = (content: string): SetFile | null => read(setFile, content);
