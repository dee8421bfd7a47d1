import { hash } from 'node:crypto';
import { clusterSize, formatName } from './layout.ts';
import { listOf, mapOf, matching, misfit, natural, nullable, oneOf, positive, type Shape, text } from './shape.ts';

/** What every manifest begins with. */
type Heading<K extends string> = { apiVersion: 'platter.dev/v1'; kind: K; format: typeof formatName };
type From = 'clock' | 'given' | 'mtime' | 'oadp' | 'kubevirt';
type Consistency = 'offline' | 'frozen' | 'crash' | 'unknown';

export type Repository = Heading<'Repository'> & { id: string; createdAt: string; features: string[]; self: string };
type Disk = { uid: string; createdAt: string; self: string };
type Pin = { name: string; reason: string | null; until: string | null; createdAt: string; self: string };

/** The image that a point was captured from, as it was then. */
export type Source = {
  path: string;
  ref: string | null;
  format: 'raw' | 'qcow2';
  ino: string;
  birthNs: string;
  mtimeNs: string;
  size: number;
  sourceRoot: string | null;
};

const engines = ['diff', 'fiemap', 'bitmap', 'qmp', 'import-files', 'import-oadp', 'import-kubevirt'] as const;
type Capture = {
  engine: (typeof engines)[number];
  fullReason: string | null;
  checkpoint: string | null;
  unproven: string[];
  tool: string;
  source: Source;
};

/** One disk's state at one capture (spec 2.2). */
export type Point = Heading<'BackupPoint'> & {
  repo: string;
  disk: { namespace: string; vm: string; name: string; uid: string };
  id: string;
  sequence: number;
  type: 'full' | 'incremental';
  parent: { id: string; stateId: string } | null;
  checkpointChain: string[];
  supersedes: string[];
  virtualSize: number;
  clusterSize: number;
  contentSha256: string;
  stateId: string;
  capturedAt: string;
  capturedAtFrom: From;
  consistency: Consistency;
  capture: Capture;
  data: { file: string; size: number; dataClusters: number; zeroClusters: number };
  digests: { file: string; sha256: string };
  labels: Record<string, string>;
  self: string;
};

/** A VM's disks at one moment (spec 2.2). */
export type BackupSet = Heading<'BackupSet'> & {
  repo: string;
  namespace: string;
  vm: string;
  id: string;
  capturedAt: string;
  capturedAtFrom: From;
  consistency: Consistency;
  members: { disk: string; uid: string; point: string; stateId: string; virtualSize: number }[];
  attachments: { name: string; sha256: string }[];
  labels: Record<string, string>;
  self: string;
};

type Manifests = { Repository: Repository; Disk: Disk; BackupPoint: Point; BackupSet: BackupSet; Pin: Pin };
export type Kind = keyof Manifests;
export type Manifest<K extends Kind> = Manifests[K];

const hex64 = matching(/^[0-9a-f]{64}$/);
const decimal = matching(/^\d{1,30}$/);
const instant = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
const id = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
const uuid = matching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const labels = mapOf(text);
const heading = (kind: Kind) => ({ apiVersion: oneOf('platter.dev/v1'), kind: oneOf(kind), format: oneOf(formatName) });
const taken = {
  capturedAt: instant,
  capturedAtFrom: oneOf('clock', 'given', 'mtime', 'oadp', 'kubevirt'),
  consistency: oneOf('offline', 'frozen', 'crash', 'unknown'),
};
const source = {
  ...{ path: text, ref: nullable(text), format: oneOf('raw', 'qcow2'), size: natural, sourceRoot: nullable(hex64) },
  ...{ ino: decimal, birthNs: decimal, mtimeNs: decimal },
};
const capture = {
  engine: oneOf(...engines),
  fullReason: nullable(text),
  checkpoint: nullable(text),
  unproven: listOf(text),
  tool: text,
  source,
};

const shapes: Record<Kind, Shape> = {
  Repository: { ...heading('Repository'), id: uuid, createdAt: instant, features: listOf(text) },
  Disk: { uid: matching(/./), createdAt: instant },
  Pin: { name: text, reason: nullable(text), until: nullable(instant), createdAt: instant },
  BackupPoint: {
    ...heading('BackupPoint'),
    repo: uuid,
    disk: { namespace: text, vm: text, name: text, uid: text },
    id,
    sequence: positive,
    type: oneOf('full', 'incremental'),
    parent: nullable({ id, stateId: hex64 }),
    checkpointChain: listOf(id),
    supersedes: listOf(id),
    virtualSize: positive,
    clusterSize: oneOf(clusterSize),
    contentSha256: hex64,
    stateId: hex64,
    ...taken,
    capture,
    data: { file: text, size: natural, dataClusters: natural, zeroClusters: natural },
    digests: { file: text, sha256: hex64 },
    labels,
  },
  BackupSet: {
    ...heading('BackupSet'),
    ...{ repo: uuid, namespace: text, vm: text, id },
    ...taken,
    members: listOf({ disk: text, uid: text, point: id, stateId: hex64, virtualSize: positive }, 1),
    attachments: listOf({ name: text, sha256: hex64 }),
    labels,
  },
};

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
  const wrong = misfit(value, shapes[kind]);
  return wrong === null ? { value: value as Manifest<K>, fault: null } : corrupt(`its ${wrong} cannot be right`);
}
