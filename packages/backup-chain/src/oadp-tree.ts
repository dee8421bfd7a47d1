import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { isVmName } from './address.ts';
import { type Finding, finding } from './finding.ts';
import type { History } from './foreign.ts';
import { type Backup, readBackup, samePlace } from './oadp-backup.ts';
import { readHistory } from './oadp-vm.ts';
import { vmAddress } from './telling.ts';

type Place = History['place'];

/** Which part of a tree is meant. */
export interface TreeWish {
  /** The real path of the tree. */
  folder: string;
  backup?: string | undefined;
  vm?: Place | undefined;
  disks: readonly string[];
}

/** A VM of a tree, and everything that is wrong with what the tree says of it. */
export interface TreeVm extends History {
  findings: Finding[];
}

/** What a tree holds; `findings` are about what belongs to no single VM. */
export interface Tree {
  vms: TreeVm[];
  findings: Finding[];
}

/** Folders in a folder of the tree; a link is none. */
async function foldersIn(host: Host, path: string): Promise<string[]> {
  const found = (await host.query(list(path))) ?? [];
  return found.filter(({ kind }) => kind === 'dir').map(({ name }) => name);
}

/** The VMs that have a folder of checkpoints. */
async function placesIn(host: Host, folder: string): Promise<Place[]> {
  const places: Place[] = [];
  for (const namespace of await foldersIn(host, `${folder}/checkpoints`))
    for (const vm of await foldersIn(host, `${folder}/checkpoints/${namespace}`)) places.push({ namespace, vm });
  return places;
}

async function backupsIn(host: Host, { folder, backup }: TreeWish): Promise<Backup[]> {
  const all = await foldersIn(host, `${folder}/manifests`);
  if (backup !== undefined && !all.includes(backup))
    throw new Failure('refused', `there is no backup ${backup} in ${folder}`, {
      details: { 'there are': all.join(', ') },
    });
  const read: Backup[] = [];
  for (const name of backup === undefined ? all : [backup]) read.push(await readBackup(host, folder, name));
  return read;
}

/** The VMs that are meant, in name order, each once. */
function chosen(all: readonly Place[], { folder, vm }: TreeWish): Place[] {
  const unique = new Map(all.map((one) => [vmAddress(one), one]));
  const names = [...unique.keys()].sort();
  if (vm === undefined) return names.map((name) => unique.get(name) as Place);
  if (unique.has(vmAddress(vm))) return [vm];
  const details = { 'there are': names.join(', ') };
  throw new Failure('refused', `there is no VM ${vmAddress(vm)} in ${folder}`, { details });
}

/** Reads an OADP tree (spec 3.4) without opening an image; what is wrong with it is told, not thrown. */
export async function readTree(host: Host, wish: TreeWish): Promise<Tree> {
  const { folder, backup, disks } = wish;
  if (!(await foldersIn(host, folder)).includes('checkpoints'))
    throw new Failure('refused', `${folder} is no tree of OADP backups: it has no checkpoints`);
  const backups = await backupsIn(host, wish);
  const [chains, told] = [backups.flatMap((one) => one.chains), backups.flatMap((one) => one.told)];
  const findings = told.flatMap(({ place, finding }) => (place === null ? [finding] : []));
  const known = backup === undefined ? await placesIn(host, folder) : [];
  const named = told.flatMap(({ place }) => (place === null ? [] : [place]));
  const vms: TreeVm[] = [];
  for (const place of chosen([...known, ...chains, ...named], wish)) {
    const own = told.flatMap((one) => (one.place && samePlace(one.place, place) ? [one.finding] : []));
    if (!isVmName(place)) findings.push(unkeepable(place));
    else {
      const mine = chains.filter((one) => samePlace(one, place));
      const read = await readHistory(host, { folder, place, chains: mine, whole: backup === undefined, disks });
      vms.push({ ...read.history, findings: [...own, ...read.findings] });
    }
  }
  return { vms, findings };
}

const unkeepable = (place: Place): Finding =>
  finding('refused', ['oadp', JSON.stringify(vmAddress(place)), 'no VM can have this name here']);
