import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, realpath } from '@platter/host/looks';
import { isDiskName } from './address.ts';
import { usage } from './asking.ts';
import { attachmentsOf } from './attachments.ts';
import { document, fileBelow } from './documents.ts';
import type { Moment } from './foreign.ts';
import { instantOf, typeOf, type Vmb, vmbShape, volumesOf } from './kubevirt-backup.ts';
import type { Point } from './manifest-kinds.ts';

/** What a person says about a folder of push output. */
export interface Said {
  disks: readonly string[];
  full: boolean;
  after: string | undefined;
}

const corrupt = (path: string, message: string): Failure => new Failure('corrupt', `${path}: ${message}`);

/** The real folder of a word; 3 when there is none. */
export async function folderOf(host: Host, said: string): Promise<string> {
  const folder = await host.query(realpath(said));
  if (folder === null || (await host.query(list(folder))) === null)
    throw new Failure('refused', `${said} is no directory`);
  return folder;
}

async function vmbIn(host: Host, folder: string): Promise<Vmb | null> {
  const found = await fileBelow(host, folder, 'vmb.json');
  if ('fault' in found && found.fault === 'missing') return null;
  const vmb = 'fault' in found ? null : await document(host, found, vmbShape);
  if (vmb === null) throw corrupt(`${folder}/vmb.json`, 'it is not a backup object that can be read');
  return vmb;
}

function typeFor(folder: string, vmb: Vmb | null, { full, after }: Said): Point['type'] {
  const word = vmb?.status?.type ?? null;
  const told = word === null ? null : typeOf(word);
  if (word !== null && told === null)
    throw corrupt(`${folder}/vmb.json`, `its type ${JSON.stringify(word)} is unknown`);
  if (told === null && !full && after === undefined)
    throw usage(`nothing in ${folder} says whether it is full`, '--full, or --after ID');
  const type = told ?? (full ? 'full' : 'incremental');
  if (type === 'incremental' && full) throw new Failure('refused', `${folder} is incremental, as its vmb.json says`);
  if (type === 'full' && after !== undefined) throw new Failure('refused', `${folder} is full, as its vmb.json says`);
  if (type === 'incremental' && after === undefined)
    throw usage(`${folder} is incremental: onto which point?`, '--after ID');
  return type;
}

function disksFor(folder: string, vmb: Vmb | null, { disks }: Said): readonly string[] {
  const volumes = vmb === null ? [] : volumesOf(vmb);
  if (volumes.length === 0 && disks.length === 0)
    throw usage(`nothing in ${folder} says which disks it holds`, '--disks A,B');
  const unknown = volumes.length === 0 ? undefined : disks.find((disk) => !volumes.includes(disk));
  if (unknown !== undefined)
    throw new Failure('refused', `${folder} does not hold ${unknown}`, {
      details: { 'there are': volumes.join(', ') },
    });
  const odd = volumes.find((volume) => !isDiskName(volume));
  if (odd !== undefined)
    throw new Failure('refused', `${folder}: no disk can have the name ${JSON.stringify(odd)} here`);
  return disks.length > 0 ? disks : volumes;
}

/** The name of the backup that files are called after: `<vmb>-<disk>.qcow2` for every disk. */
function calledAfter(folder: string, names: readonly string[], disks: readonly string[]): string {
  const called = (disk: string) =>
    names.filter((name) => name.endsWith(`-${disk}.qcow2`)).map((name) => name.slice(0, -`-${disk}.qcow2`.length));
  const [first = '', ...more] = disks;
  const [vmb, ...others] = called(first).filter((one) => more.every((disk) => called(disk).includes(one)));
  if (vmb === undefined) throw corrupt(folder, `it does not hold a file of each of ${disks.join(', ')}`);
  if (others.length > 0)
    throw new Failure('refused', `${folder} holds several files of ${first}`, {
      details: { by: [vmb, ...others].join(', ') },
      hint: 'name all disks of the backup in --disks',
    });
  return vmb;
}

async function pathOf(host: Host, folder: string, name: string): Promise<string> {
  const found = await fileBelow(host, folder, name);
  if (!('fault' in found)) return found.path;
  if (found.fault === 'missing') throw corrupt(`${folder}/${name}`, 'it is missing');
  throw new Failure('refused', `${folder}/${name} is no regular file in the folder`);
}

async function attachments(host: Host, folder: string): Promise<Moment['attachments']> {
  const pairs = new Map<string, string>();
  for (const name of ['vmb.json', 'vmbt.json']) {
    const found = await fileBelow(host, folder, name);
    if (!('fault' in found)) pairs.set(name, found.path);
  }
  return attachmentsOf(host, pairs, folder);
}

/** What KubeVirt pushed into a folder: a file of each disk, and `vmb.json` beside them if it was kept (spec 3.4). */
export async function pushOutput(host: Host, folder: string, said: Said): Promise<Moment> {
  const vmb = await vmbIn(host, folder);
  const disks = [...disksFor(folder, vmb, said)].sort();
  const type = typeFor(folder, vmb, said);
  const names = ((await host.query(list(folder))) ?? []).map(({ name }) => name);
  const called = vmb?.metadata?.name ?? calledAfter(folder, names, disks);
  const files: Moment['files'] = [];
  for (const disk of disks) files.push({ disk, type, path: await pathOf(host, folder, `${called}-${disk}.qcow2`) });
  const checkpoint = vmb?.status?.checkpointName ?? null;
  const at = instantOf(vmb?.metadata?.creationTimestamp);
  return { id: null, checkpoint, at, files, attachments: await attachments(host, folder) };
}
