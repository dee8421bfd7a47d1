import { hash } from 'node:crypto';
import { dirname } from 'node:path';
import type { Call } from '@platter/command/call';
import { create, remove, removeDir, rename, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { bytes, list, lstat } from '@platter/host/looks';
import type { Undo } from '@platter/host/undo';
import { isId } from './address.ts';
import { beside, sweepBeside } from './beside.ts';
import { type Checking, type Copier, provenCopy } from './copying.ts';
import type { ChainSource } from './export-chain.ts';
import { vmbShape } from './kubevirt-backup.ts';
import type { Point } from './manifest-kinds.ts';
import type { Checkpoint } from './oadp-writing.ts';
import type { VmFacts } from './repository.ts';
import type { Link } from './stack.ts';

const kept = ['vmb.json', 'vmbt.json'] as const;

/** What was kept beside the set of a checkpoint; nothing when no such set is there any more. */
async function objectsOf(host: Host, facts: VmFacts, id: string): Promise<Checkpoint['objects']> {
  const set = facts.sets.find(({ value }) => value?.id === id)?.value;
  const objects: Checkpoint['objects'] = [];
  for (const { name, sha256 } of set?.attachments ?? []) {
    const known = kept.find((one) => one === name);
    if (known === undefined) continue;
    const path = `${facts.paths.sets}/${id}.d/${name}`;
    const content = await host.query(bytes(path));
    if (content === null || hash('sha256', content) !== sha256)
      throw new Failure('corrupt', `${path} is not what was kept with the set`);
    objects.push({ name: known, bytes: content });
  }
  return objects;
}

/** The name that the images of a checkpoint begin with: that of its VirtualMachineBackup, or its id. */
function vmBackupOf(id: string, objects: Checkpoint['objects']): string {
  const vmb = objects.find(({ name }) => name === 'vmb.json');
  const read = vmbShape.safeParse(vmb === undefined ? null : parsed(vmb.bytes));
  const name = read.success ? read.data.metadata?.name : undefined;
  return name !== undefined && isId(name) ? name : id;
}

function parsed(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch {
    return null;
  }
}

/** The checkpoints that the chains of a set are, oldest first. */
export async function checkpointsOf(host: Host, facts: VmFacts, chains: readonly ChainSource[]): Promise<Checkpoint[]> {
  const all: Checkpoint[] = [];
  for (const [n, { id, type, capturedAt: timestamp }] of (chains[0]?.points ?? []).entries()) {
    const objects = await objectsOf(host, facts, id);
    const vmBackup = vmBackupOf(id, objects);
    const images = chains.map(({ source, points }) => {
      const { data, virtualSize } = points[n] as Point;
      const disk = source.disk as string;
      return { disk, name: `${vmBackup}-${disk}.qcow2`, size: data.size, virtualSize };
    });
    all.push({ id, type, parent: all.at(-1)?.id ?? null, timestamp, vmBackup, images, objects });
  }
  return all;
}

/** A checkpoint with the open files of its images. */
export interface Placing {
  checkpoint: Checkpoint;
  links: readonly Link[];
  folder: string;
  /** Whether the tree names it by now. */
  isNamed: () => Promise<boolean>;
}

/** 3 or 5 unless a folder that is there is the checkpoint; what is there is read. */
async function refuseOther(host: Host, { checkpoint, links, folder }: Placing, checking: Checking): Promise<void> {
  const strange = (name: string) =>
    new Failure('refused', `${folder} is there already, and its ${name} is not that of this checkpoint`);
  for (const [n, { name }] of checkpoint.images.entries()) {
    if ((await host.query(lstat(`${folder}/${name}`)))?.kind !== 'file') throw strange(name);
    await provenCopy(host, [links[n] as Link, `${folder}/${name}`], checking);
  }
  for (const object of checkpoint.objects) {
    const there = await host.query(bytes(`${folder}/${object.name}`));
    if (there === null || Buffer.compare(there, object.bytes) !== 0) throw strange(object.name);
  }
}

async function fill(
  host: Host,
  { checkpoint, links }: Placing,
  [folder, copier, checking]: readonly [string, Copier, Checking],
): Promise<void> {
  for (const [n, { name }] of checkpoint.images.entries()) {
    const [link, to] = [links[n] as Link, `${folder}/${name}`];
    await copier.copy(link.name, to);
    if (!host.dry) await provenCopy(host, [link, to], checking);
  }
  for (const object of checkpoint.objects) await host.change(create(`${folder}/${object.name}`, object.bytes, 0o444));
  await host.change(sync(folder));
}

async function removeFolder(host: Host, folder: string): Promise<void> {
  for (const { name } of (await host.query(list(folder))) ?? []) await host.change(remove(`${folder}/${name}`));
  await host.change(removeDir(folder));
}

/** Puts a checkpoint into its folder, whole, or finds that it is there; what is new is taken back by `undo`. */
export async function placeCheckpoint(
  call: Call<{ wait: number }>,
  placing: Placing,
  { copier, checking, undo }: { copier: Copier; checking: Checking; undo: Undo },
): Promise<void> {
  const { host } = call;
  const { folder, isNamed } = placing;
  await sweepBeside(call, folder);
  if ((await host.query(lstat(folder))) !== null) return refuseOther(host, placing, checking);
  await beside(call, { goal: folder, mode: 0o755 }, async (made) => {
    await fill(host, placing, [made, copier, checking]);
    await host.change(rename(made, folder));
    undo.add(`remove ${folder}`, async () => {
      if (!(await isNamed())) await removeFolder(host, folder);
    });
    await host.change(sync(dirname(folder)));
  });
}
