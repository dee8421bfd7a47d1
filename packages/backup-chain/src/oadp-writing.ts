import { Failure } from '@platter/host/failure';
import type { ChainSource } from './export-chain.ts';
import type { Point } from './manifest-kinds.ts';
import type { Listed } from './oadp.ts';
import { listedFiles, typeIn } from './oadp.ts';

/** A VM's checkpoint as it goes into a tree: an image of each disk, and the objects that were kept beside the set. */
export interface Checkpoint {
  id: string;
  type: Point['type'];
  parent: string | null;
  timestamp: string;
  vmBackup: string;
  images: { disk: string; name: string; size: number; virtualSize: number }[];
  objects: { name: 'vmb.json' | 'vmbt.json'; bytes: Uint8Array }[];
}

/** The VM and the backup that a tree is written for. */
export interface Owner {
  namespace: string;
  vm: string;
  backup: string;
}

/** Where things lie below a tree (spec 3.4). */
export const checkpointsFolder = ({ namespace, vm }: Owner): string => `checkpoints/${namespace}/${vm}`;
export const backupFolder = ({ backup }: Owner): string => `manifests/${backup}`;
export const manifestName = ({ namespace, vm }: Owner): string => `${namespace}-${vm}.json`;

const told = ({ points }: ChainSource): string => points.map(({ id, type }) => `${id} (${type})`).join(', ');

/** 3 unless all disks have the same ids of the same types: a checkpoint is of all disks. */
export function refuseUneven(chains: readonly ChainSource[]): void {
  const [first] = chains;
  const odd = chains.find((one) => first !== undefined && told(one) !== told(first));
  if (first === undefined || odd === undefined) return;
  throw new Failure('refused', 'a checkpoint is of all disks, and the chains of these differ', {
    details: { [first.source.disk ?? '']: told(first), [odd.source.disk ?? '']: told(odd) },
    hint: 'backup-chain capture --full of all disks, then export that set',
  });
}

/** A checkpoint as its VM's index lists it. */
export function listedOf(owner: Owner, { id, type, parent, timestamp, vmBackup, ...of }: Checkpoint): Listed {
  const base = `${checkpointsFolder(owner)}/${id}`;
  const path = (name: string) => (of.objects.some((one) => one.name === name) ? `${base}/${name}` : '');
  return {
    ...{ id, type, ...(parent === null ? {} : { parent }), timestamp, vmBackup },
    files: of.images.map(({ disk, name, size }) => ({
      filename: name,
      diskName: disk,
      size,
      objectPath: `${base}/${name}`,
    })),
    pvcs: of.images.map(({ disk }) => disk),
    pvcSizes: of.images.map(({ virtualSize }) => virtualSize),
    referencedBy: [owner.backup],
    vmbObjectPath: path('vmb.json'),
    vmbtObjectPath: path('vmbt.json'),
  };
}

const names = (one: Listed): string =>
  listedFiles(one)
    .map(({ name }) => name)
    .filter((name) => name.endsWith('.qcow2'))
    .sort()
    .join(', ');

const isSame = (a: Listed, b: Listed): boolean =>
  typeIn(a) === typeIn(b) && (a.parent || null) === (b.parent || null) && names(a) === names(b);

/** The same entry, which our backup needs too. */
function shared(known: Listed, { backup }: Owner): Listed {
  const { referencedBy } = known as { referencedBy?: unknown };
  const others = Array.isArray(referencedBy) ? (referencedBy as unknown[]) : [];
  return others.includes(backup) ? known : { ...known, referencedBy: [...others, backup] };
}

/** A VM's checkpoints with ours among them; 3 when one of ours is listed as something else. */
export function mergedList(known: readonly Listed[], owner: Owner, ours: readonly Checkpoint[]): Listed[] {
  const wanted = new Map(ours.map((one) => [one.id, listedOf(owner, one)]));
  const kept = known.map((one) => {
    const own = wanted.get(one.id);
    if (own === undefined) return one;
    wanted.delete(one.id);
    if (isSame(one, own)) return shared(one, owner);
    throw new Failure('refused', `the tree lists another checkpoint ${one.id} of ${owner.namespace}/${owner.vm}`, {
      details: { there: `${one.type} ${names(one)}`, here: `${own.type} ${names(own)}` },
    });
  });
  return [...kept, ...wanted.values()];
}
