import type { formatName } from './layout.ts';

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

export const engines = ['diff', 'fiemap', 'bitmap', 'qmp', 'import-files', 'import-oadp', 'import-kubevirt'] as const;
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

/** Why an entry of the trash was made, and what lies or should lie in it; paths are relative to the VM's folder. */
export type Why = {
  op: 'merge' | 'fold' | 'prune' | 'sweep';
  at: string;
  reason: string;
  items: string[];
  replaced: { path: string; before: string; after: string } | null;
  self: string;
};

export const ways = ['scratch', 'overlay', 'read'] as const;
export const verdicts = ['ok', 'bad', 'inconclusive', 'not-checked'] as const;

/** A filesystem on a disk, by the offset it begins at, and what its checker said; `rc` null when none was run. */
export type CheckedFilesystem = { offset: number; type: string; result: (typeof verdicts)[number]; rc: number | null };

/** What a drill showed of a point (spec 3.14). Of loose files nothing is known beforehand, and much is null. */
export type Receipt = Heading<'Drill'> & {
  repo: string | null;
  disk: Point['disk'] | null;
  point: string;
  set: string | null;
  at: string;
  via: (typeof ways)[number];
  engine: 'native' | 'qemu';
  content: { recorded: string | null; found: string | null };
  equal: boolean | null;
  filesystems: CheckedFilesystem[];
  /** `failed` when the content differs, a filesystem is bad, or one that was required is not proven. */
  result: 'ok' | 'failed';
  /** Why the content could not be had at all. */
  failure: string | null;
  bytes: number;
  seconds: number;
  host: string;
  tool: string;
  manifestSha256: string | null;
  /** SHA-256 of the disk's receipt before this one. */
  previous: string | null;
  self: string;
};

export type Manifests = {
  Repository: Repository;
  Disk: Disk;
  BackupPoint: Point;
  BackupSet: BackupSet;
  Pin: Pin;
  Why: Why;
  Drill: Receipt;
};
export type Kind = keyof Manifests;
export type Manifest<K extends Kind> = Manifests[K];
