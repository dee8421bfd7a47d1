import type { Call } from '@platter/command/call';
import { mkdir, remove, removeDir, sync } from '@platter/host/changes';
import { list, lstat } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import { Copier } from './copying.ts';
import type { ChainSource } from './export-chain.ts';
import { type Exported, type ExportWish, refuseFull } from './exporting.ts';
import { temporary } from './layout.ts';
import type { BackupSet } from './manifest-kinds.ts';
import { checkpointsOf, placeCheckpoint } from './oadp-checkpoints.ts';
import {
  backupIndex,
  listedIn,
  type Telling,
  vmIndex,
  writeBackupIndex,
  writeManifest,
  writeVmIndex,
} from './oadp-indexes.ts';
import { backupFolder, type Checkpoint, checkpointsFolder, manifestName, refuseUneven } from './oadp-writing.ts';
import type { VmFacts } from './repository.ts';
import type { Link } from './stack.ts';

/** A set that is exported, and the chains of its disks. */
export interface SetSource {
  facts: VmFacts;
  set: BackupSet;
  chains: readonly ChainSource[];
}

interface Export extends Telling {
  call: Call<{ wait: number }>;
  undo: Undo;
}

/** Folders that are there afterwards; those that are new go when the export fails. */
async function ensureFolders({ call: { host }, root, undo }: Export, path: string): Promise<void> {
  const parts = ['', ...path.split('/')].map((_, n, all) => `${root}${all.slice(0, n + 1).join('/')}`);
  for (const folder of parts) {
    if ((await host.query(lstat(folder))) !== null) continue;
    await host.change(mkdir(folder, 0o755));
    undo.add(`remove ${folder}`, async () => {
      if ((await host.query(list(folder)))?.length === 0) await host.change(removeDir(folder));
    });
    await host.change(sync(folder.slice(0, folder.lastIndexOf('/')) || '/'));
  }
}

/** Puts every checkpoint of the chain into its folder. */
async function placeAll(job: Export, chains: readonly ChainSource[], workers: number): Promise<void> {
  const { call, owner, root, checkpoints, undo } = job;
  const copier = new Copier(call.host, () => refuseFull(call.host, root, bytesOf(checkpoints)));
  const progress = call.progress(`export ${owner.namespace}/${owner.vm}`, bytesOf(checkpoints));
  for (const [n, checkpoint] of checkpoints.entries()) {
    const folder = `${root}/${checkpointsFolder(owner)}/${checkpoint.id}`;
    const links = chains.map(({ source }) => source.stack.links[n] as Link);
    const before = bytesOf(checkpoints.slice(0, n));
    const checking = { workers, report: (done: number) => progress.update(before + done) };
    const isNamed = async () => (await listedIn(job))?.checkpoints.some(({ id }) => id === checkpoint.id) ?? false;
    await placeCheckpoint(call, { checkpoint, links, folder, isNamed }, { copier, checking, undo });
  }
  progress.end();
}

/** The files first, the VM's index next, the backup last: its index is the commit. */
async function write(job: Export, chains: readonly ChainSource[], workers: number): Promise<void> {
  const { owner, undo } = job;
  const index = await backupIndex(job);
  await vmIndex(job);
  await ensureFolders(job, checkpointsFolder(owner));
  await placeAll(job, chains, workers);
  await writeVmIndex(job);
  undo.keep();
  await ensureFolders(job, backupFolder(owner));
  await writeManifest(job);
  await writeBackupIndex(job, index);
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
  const job: Export = { call, owner: { namespace, vm, backup }, root, timestamp: set.capturedAt, checkpoints, undo };
  await locked(call, root, () => undo.guard(() => write(job, chains, workers)));
  return { path: root, files: filesOf(job), bytes: bytesOf(checkpoints) };
}
