import type { Call } from '@platter/command/call';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat, text } from '@platter/host/looks';
import { createWhole, replaceWhole, type Whole } from '@platter/host/whole';
import type * as z from 'zod/mini';
import { document } from './documents.ts';
import { temporary } from './layout.ts';
import { backupIndexShape, vmIndexShape } from './oadp.ts';
import {
  backupFolder,
  type Checkpoint,
  checkpointsFolder,
  manifestName,
  mergedList,
  type Owner,
} from './oadp-writing.ts';
import { discard } from './publish.ts';

/** What a tree is told: whose checkpoints they are, of which backup, and when that was. */
export interface Telling {
  call: Call<unknown>;
  owner: Owner;
  /** The tree. */
  root: string;
  timestamp: string;
  checkpoints: readonly Checkpoint[];
}

/** As others write them, and not as manifests of ours. */
const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** A document of the tree; null when there is none, 5 when it cannot be read. */
async function known<S extends z.ZodMiniType>(host: Host, path: string, shape: S): Promise<z.infer<S> | null> {
  const found = await host.query(lstat(path));
  if (found === null) return null;
  const read = found.kind === 'file' ? await document(host, { path, size: found.size }, shape) : null;
  if (read !== null) return read;
  throw new Failure('corrupt', `${path} cannot be read: nothing is exported beside it`);
}

/** A document, and where it grows. */
const fileOf = (folder: string, name: string, value: object): Whole => ({
  path: `${folder}/${name}`,
  temp: `${folder}/${temporary}${name.slice(0, -'.json'.length)}`,
  data: json(value),
  mode: 0o644,
});

/** The index of the backup, with our VM as its last; 3 when it has the VM already. */
export async function backupIndex({ call: { host }, owner, root, timestamp, checkpoints }: Telling) {
  const { namespace, vm: name, backup } = owner;
  const path = `${root}/${backupFolder(owner)}/index.json`;
  const there = await known(host, path, backupIndexShape);
  const vms = there?.vms ?? [];
  if (there !== null && there.backupName !== backup)
    throw new Failure('refused', `${path} is the index of the backup ${there.backupName}`);
  if (vms.some((one) => one.namespace === namespace && one.name === name))
    throw new Failure('refused', `the backup ${backup} has ${namespace}/${name} already`, {
      hint: '--backup with a new name',
    });
  const manifestPath = `${backupFolder(owner)}/${manifestName(owner)}`;
  const ours = { name, namespace, checkpointId: checkpoints.at(-1)?.id ?? '', manifestPath };
  return { backupName: backup, timestamp, ...there, vms: [...vms, ours] };
}

/** The index of the VM's checkpoints as it is there. */
export const listedIn = ({ call, root, owner }: Telling) =>
  known(call.host, `${root}/${checkpointsFolder(owner)}/index.json`, vmIndexShape);

/** The same with ours; null when nothing is new. */
export async function vmIndex(job: Telling) {
  const { call, owner, checkpoints } = job;
  const there = await listedIn(job);
  const { namespace, vm: vmName } = owner;
  if (there !== null && (there.vmName !== vmName || there.namespace !== namespace))
    throw new Failure('refused', `${checkpointsFolder(owner)} is that of ${there.namespace}/${there.vmName}`);
  const before = there?.checkpoints ?? [];
  const merged = mergedList(before, owner, checkpoints);
  const same = there !== null && merged.length === before.length && merged.every((one, n) => one === before[n]);
  if (same) return null;
  return { vmName, namespace, ...there, lastUpdated: new Date(call.now()).toISOString(), checkpoints: merged };
}

/** Puts our checkpoints into the index of the VM. */
export async function writeVmIndex(job: Telling): Promise<void> {
  const merged = await vmIndex(job);
  const { call, owner, root } = job;
  if (merged !== null)
    await replaceWhole(call.host, fileOf(`${root}/${checkpointsFolder(owner)}`, 'index.json', merged));
}

/** Replaces the index of the backup: the commit. */
export const writeBackupIndex = ({ call, owner, root }: Telling, index: object): Promise<void> =>
  replaceWhole(call.host, fileOf(`${root}/${backupFolder(owner)}`, 'index.json', index));

/** What the backup says of the VM; 3 when something else has its name. */
export async function writeManifest({ call: { host }, owner, root, timestamp, checkpoints }: Telling): Promise<void> {
  const { namespace, vm: name, backup: backupName } = owner;
  const checkpointChain = checkpoints.map(({ id }) => id);
  const value = { namespace, name, checkpointChain, backupName, timestamp };
  const file = fileOf(`${root}/${backupFolder(owner)}`, manifestName(owner), value);
  const there = await host.query(text(file.path));
  if (there === null) return createWhole(host, file);
  if (there === file.data) return discard(host, file.temp);
  throw new Failure('refused', `${file.path} is there already, and says something else`);
}
