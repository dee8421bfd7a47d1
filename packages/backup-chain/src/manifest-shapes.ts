import { clusterSize, formatName } from './layout.ts';
import { engines, type Kind, verdicts, ways } from './manifest-kinds.ts';
import { listOf, mapOf, matching, natural, nullable, oneOf, positive, type Shape, text } from './shape.ts';

const hex64 = matching(/^[0-9a-f]{64}$/);
const decimal = matching(/^\d{1,30}$/);
const instant = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
const id = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
const uuid = matching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
/** A path below the VM's folder: nothing else is ever moved. */
const inside = matching(/^(sets|disks)(\/(?!\.{1,2}(\/|$))[^/\0]+)+$/);
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

const disk = { namespace: text, vm: text, name: text, uid: text };

/** What each kind of manifest must have. */
export const shapes: Record<Kind, Shape> = {
  Repository: { ...heading('Repository'), id: uuid, createdAt: instant, features: listOf(text) },
  Disk: { uid: matching(/./), createdAt: instant },
  Pin: { name: text, reason: nullable(text), until: nullable(instant), createdAt: instant },
  Why: {
    op: oneOf('merge', 'fold', 'prune', 'sweep'),
    at: instant,
    reason: text,
    items: listOf(inside),
    replaced: nullable({ path: inside, before: text, after: hex64 }),
  },
  BackupPoint: {
    ...heading('BackupPoint'),
    repo: uuid,
    disk,
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
  Drill: {
    ...heading('Drill'),
    ...{ repo: uuid, disk, point: id, set: nullable(id), at: instant },
    ...{ via: oneOf(...ways), engine: oneOf('native', 'qemu') },
    content: { recorded: hex64, found: nullable(hex64) },
    equal: oneOf(true, false),
    filesystems: listOf({ offset: natural, type: text, result: oneOf(...verdicts) }),
    result: oneOf('ok', 'failed'),
    ...{ failure: nullable(text), bytes: natural, host: text, tool: text },
    ...{ manifestSha256: hex64, previous: nullable(hex64) },
  },
};
