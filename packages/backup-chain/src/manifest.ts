import { hash } from 'node:crypto';
import * as z from 'zod/mini';
import { clusterSize, formatName } from './layout.ts';

const hex64 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const natural = z.number().check(z.nonnegative(), z.refine(Number.isSafeInteger));
const positive = z.number().check(z.positive(), z.refine(Number.isSafeInteger));
const decimal = z.string().check(z.regex(/^\d{1,30}$/));
const instant = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/));
const id = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/));
const labels = z.record(z.string(), z.string());
const from = z.enum(['clock', 'given', 'mtime', 'oadp', 'kubevirt']);
const consistency = z.enum(['offline', 'frozen', 'crash', 'unknown']);
const engine = z.enum(['diff', 'fiemap', 'bitmap', 'qmp', 'import-files', 'import-oadp', 'import-kubevirt']);
const head = { apiVersion: z.literal('platter.dev/v1'), format: z.literal(formatName), self: hex64 };

const source = z.looseObject({
  path: z.string(),
  ref: z.nullable(z.string()),
  format: z.enum(['raw', 'qcow2']),
  ino: decimal,
  birthNs: decimal,
  mtimeNs: decimal,
  size: natural,
  sourceRoot: z.nullable(hex64),
});

/** The shapes of what lies in a repository (spec 2.2); unknown keys are kept. */
export const schemas = {
  Repository: z.looseObject({
    ...head,
    kind: z.literal('Repository'),
    id: z.uuid(),
    createdAt: instant,
    features: z.array(z.string()),
  }),
  Disk: z.looseObject({ uid: z.string().check(z.minLength(1)), createdAt: instant, self: hex64 }),
  BackupPoint: z.looseObject({
    ...head,
    kind: z.literal('BackupPoint'),
    repo: z.uuid(),
    disk: z.looseObject({ namespace: z.string(), vm: z.string(), name: z.string(), uid: z.string() }),
    id,
    sequence: positive,
    type: z.enum(['full', 'incremental']),
    parent: z.nullable(z.looseObject({ id, stateId: hex64 })),
    checkpointChain: z.array(id),
    supersedes: z.array(id),
    virtualSize: positive,
    clusterSize: z.literal(clusterSize),
    contentSha256: hex64,
    stateId: hex64,
    capturedAt: instant,
    capturedAtFrom: from,
    consistency,
    capture: z.looseObject({
      engine,
      fullReason: z.nullable(z.string()),
      checkpoint: z.nullable(z.string()),
      unproven: z.array(z.string()),
      tool: z.string(),
      source,
    }),
    data: z.looseObject({ file: z.string(), size: natural, dataClusters: natural, zeroClusters: natural }),
    digests: z.looseObject({ file: z.string(), sha256: hex64 }),
    labels,
  }),
  BackupSet: z.looseObject({
    ...head,
    kind: z.literal('BackupSet'),
    repo: z.uuid(),
    namespace: z.string(),
    vm: z.string(),
    id,
    capturedAt: instant,
    capturedAtFrom: from,
    consistency,
    members: z
      .array(z.looseObject({ disk: z.string(), uid: z.string(), point: id, stateId: hex64, virtualSize: positive }))
      .check(z.minLength(1)),
    attachments: z.array(z.looseObject({ name: z.string(), sha256: hex64 })),
    labels,
  }),
  Pin: z.looseObject({
    name: z.string(),
    reason: z.nullable(z.string()),
    until: z.nullable(instant),
    createdAt: instant,
    self: hex64,
  }),
} as const;

export type Kind = keyof typeof schemas;
export type Manifest<K extends Kind> = z.infer<(typeof schemas)[K]>;
export type Repository = Manifest<'Repository'>;
export type Point = Manifest<'BackupPoint'>;
export type BackupSet = Manifest<'BackupSet'>;
export type Source = z.infer<typeof source>;

/** Why bytes are no manifest: not the bytes we wrote, or of a newer format. */
export interface Fault {
  code: 'corrupt' | 'unsupported';
  message: string;
}
export type Reading<T> = { value: T; fault: null } | { value: null; fault: Fault };

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

/** The only bytes a manifest may have: two blanks, keys sorted at every level, one newline (spec 2.2). */
export const manifestText = (value: object): string => `${JSON.stringify(sorted(value), null, 2)}\n`;

const selfOf = ({ self: _, ...rest }: Record<string, unknown>): string => hash('sha256', manifestText(rest));

/** A manifest with its own digest. */
export const seal = <T extends object>(value: T): T & { self: string } => ({
  ...value,
  self: selfOf(value as Record<string, unknown>),
});

const corrupt = (message: string): Reading<never> => ({ value: null, fault: { code: 'corrupt', message } });

function newer(value: unknown): string | null {
  const format = (value as { format?: unknown } | null)?.format;
  const number = typeof format === 'string' ? /^backup-chain\/([1-9]\d*)$/.exec(format)?.[1] : undefined;
  return number !== undefined && Number(number) > 1 ? String(format) : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads a manifest; anything but the very bytes `manifestText` gives, with a right `self`, is a fault. */
export function readManifest<K extends Kind>(kind: K, text: string): Reading<Manifest<K>> {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return corrupt('it is not JSON');
  const format = newer(value);
  if (format !== null) return { value: null, fault: { code: 'unsupported', message: `its format ${format} is newer` } };
  if (manifestText(value) !== text) return corrupt('its bytes are not the ones that were written');
  const { self } = value as { self?: unknown };
  if (self !== selfOf(value as Record<string, unknown>)) return corrupt('its content does not have the digest it says');
  const read = schemas[kind].safeParse(value);
  if (read.success) return { value: read.data as Manifest<K>, fault: null };
  const [issue] = read.error.issues;
  return corrupt(`its ${issue?.path.join('.') || 'content'} cannot be right`);
}
