import type { Call } from '@platter/command/call';
import { mkdir, remove, removeDir, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat, text } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import { createWhole, replaceWhole } from '@platter/host/whole';
import type * as z from 'zod/mini';
import { Copier } from './copying.ts';
import { document } from './documents.ts';
import type { ChainSource } from './export-chain.ts';
import { type Exported, type ExportWish, refuseFull } from './exporting.ts';
import { temporary } from './layout.ts';
import type { BackupSet } from './manifest-kinds.ts';
import { backupIndexShape, vmIndexShape } from './oadp.ts';
import { checkpointsOf, placeCheckpoint } from './oadp-checkpoints.ts';
import {
  backupFolder,
  type Checkpoint,
  checkpointsFolder,
  manifestName,
  mergedList,
  type Owner,
  refuseUneven,
} from './oadp-writing.ts';
import type { VmFacts } from './repository.ts';
import type { Link } from './stack.ts';

/** A set that is exported, and the chains of its disks. */
export interface SetSource {
  facts: VmFacts;
  set: BackupSet;
  chains: readonly ChainSource[];
}

interface Export {
  call: Call<{ wait: number }>;
  owner: Owner;
  root: string;
  set: BackupSet;
  checkpoints: readonly Checkpoint[];
  undo: Undo;
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

const fileOf = (folder: string, name: string, value: object) => ({
  path: `${folder}/${name}`,
  temp: `${folder}/${temporary}${name.slice(0, -'.json'.length)}`,
  data: json(value),
  mode: 0o644,
});

/** Folders that are there afterwards; those that are new go when the export fails. */
async function ensureFolders({ call: { host }, root, undo }: Export, path: string): Promise<void> {
  const parts = ['', ...path.split('/')].map((_, n, all) => `${root}${all.slice(0, n + 1).join('/')}`);
  for (const folder of parts) {
    if ((await host.query(lstat(folder))) !== null) continue;
    await host.change(mkdir(folder, 0o755));
    undo.add(`remove ${folder}`, () => host.change(removeDir(folder)));
    await host.change(sync(folder.slice(0, folder.lastIndexOf('/')) || '/'));
  }
}

/** The index of the backup, with our VM as its last; 3 when it has the VM already. */
async function backupIndex({ call: { host }, owner, root, set, checkpoints }: Export) {
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
  const ours = { name, namespace, checkpointId: checkpoints.at(-1)?.id ?? set.id, manifestPath };
  return { backupName: backup, timestamp: set.capturedAt, ...there, vms: [...vms, ours] };
}

/** The index of the VM's checkpoints with ours; null when nothing is new. */
async function vmIndex({ call, owner, root, checkpoints }: Export) {
  const path = `${root}/${checkpointsFolder(owner)}/index.json`;
  const there = await known(call.host, path, vmIndexShape);
  const { namespace, vm: vmName } = owner;
  if (there !== null && (there.vmName !== vmName || there.namespace !== namespace))
    throw new Failure('refused', `${path} is the index of ${there.namespace}/${there.vmName}`);
  const before = there?.checkpoints ?? [];
  const merged = mergedList(before, owner, checkpoints);
  const same = there !== null && merged.length === before.length && merged.every((one, n) => one === before[n]);
  if (same) return null;
  return { vmName, namespace, ...there, lastUpdated: new Date(call.now()).toISOString(), checkpoints: merged };
}

/** What the backup says of the VM; 3 when something else has its name. */
async function writeManifest({ call: { host }, owner, root, set, checkpoints }: Export): Promise<void> {
  const { namespace, vm: name, backup: backupName } = owner;
  const checkpointChain = checkpoints.map(({ id }) => id);
  const value = { namespace, name, checkpointChain, backupName, timestamp: set.capturedAt };
  const file = fileOf(`${root}/${backupFolder(owner)}`, manifestName(owner), value);
  const there = await host.query(text(file.path));
  if (there === null) return createWhole(host, file);
  if (there !== file.data) throw new Failure('refused', `${file.path} is there already, and says something else`);
}

/** The files first, the VM's index next, the backup last: its index is the commit. */
async function write(job: Export, { chains }: SetSource, workers: number): Promise<void> {
  const { call, owner, root, checkpoints, undo } = job;
  const { host } = call;
  const index = await backupIndex(job);
  await vmIndex(job);
  await ensureFolders(job, checkpointsFolder(owner));
  const copier = new Copier(host, () => refuseFull(host, root, bytesOf(checkpoints)));
  const progress = call.progress(`export ${owner.namespace}/${owner.vm}`, bytesOf(checkpoints));
  for (const [n, checkpoint] of checkpoints.entries()) {
    const folder = `${root}/${checkpointsFolder(owner)}/${checkpoint.id}`;
    const links = chains.map(({ source }) => source.stack.links[n] as Link);
    const before = bytesOf(checkpoints.slice(0, n));
    const checking = { workers, report: (done: number) => progress.update(before + done) };
    await placeCheckpoint(call, { checkpoint, links, folder }, { copier, checking, undo });
  }
  progress.end();
  const merged = await vmIndex(job);
  if (merged !== null) await replaceWhole(host, fileOf(`${root}/${checkpointsFolder(owner)}`, 'index.json', merged));
  undo.keep();
  await ensureFolders(job, backupFolder(owner));
  await writeManifest(job);
  await replaceWhole(host, fileOf(`${root}/${backupFolder(owner)}`, 'index.json', index));
}

const bytesOf = (checkpoints: readonly Checkpoint[]): number =>
  checkpoints.flatMap(({ images }) => images).reduce((sum, { size }) => sum + size, 0);

const filesOf = ({ owner, root, checkpoints }: Export): string[] => [
  ...checkpoints.flatMap(({ id, images, objects }) =>
    [...images, ...objects].map(({ name }) => `${root}/${checkpointsFolder(owner)}/${id}/${name}`),
  ),
  `${root}/${checkpointsFolder(owner)}/index.json`,
  `${root}/${backupFolder(owner)}/${manifestName(owner)}`,
  `${root}/${backupFolder(owner)}/index.json`,
];

/** Holds the tree for one export at a time; the lock file goes with the export. */
async function locked<T>(call: Call<{ wait: number }>, root: string, work: () => Promise<T>): Promise<T> {
  const { host, holder, flags } = call;
  const path = `${root}/${temporary}lock`;
  const lock = await host.change({ op: 'lock', path, holder, wait: flags.wait });
  try {
    return await work();
  } finally {
    await host.change(remove(path));
    lock.release();
  }
}

/** Exports a set and all that it needs into a tree as OADP has it, or into one that is there (spec 3.16). */
export async function exportOadp(
  call: Call<{ wait: number }>,
  { facts, set, chains }: SetSource,
  { goal: root, workers, backup }: ExportWish & { backup: string },
): Promise<Exported> {
  refuseUneven(chains);
  const { namespace, vm } = facts;
  const checkpoints = await checkpointsOf(call.host, facts, chains);
  const undo = new Undo();
  const job: Export = { call, owner: { namespace, vm, backup }, root, set, checkpoints, undo };
  await locked(call, root, () => undo.guard(() => write(job, { facts, set, chains }, workers)));
  return { path: root, files: filesOf(job), bytes: bytesOf(checkpoints) };
}
