import type { Place } from './address.ts';

/** The highest repository format this program reads and writes. */
export const formatName = 'backup-chain/1' as const;
export const clusterSize = 65_536;

/** Names of what is half made; the next writer sweeps them. */
export const temporary = '.tmp-';
export const isTemporary = (name: string): boolean => name.startsWith(temporary);

export const repoFile = (root: string): string => `${root}/repo.json`;
export const vmsFolder = (root: string): string => `${root}/vms`;

/** The files and folders of one VM (spec 2.2). */
export function vmPaths(root: string, { namespace, vm }: Pick<Place, 'namespace' | 'vm'>) {
  const namespaceFolder = `${vmsFolder(root)}/${namespace}`;
  const folder = `${namespaceFolder}/${vm}`;
  return {
    namespaceFolder,
    folder,
    lock: `${folder}/lock`,
    use: `${folder}/use`,
    sets: `${folder}/sets`,
    pins: `${folder}/pins`,
    disks: `${folder}/disks`,
    receipts: `${folder}/receipts`,
    trash: `${folder}/trash`,
  };
}
export type VmPaths = ReturnType<typeof vmPaths>;

/** The files and folders of one disk (spec 2.2). */
export function diskPaths(paths: VmPaths, disk: string) {
  const folder = `${paths.disks}/${disk}`;
  return {
    folder,
    identity: `${folder}/disk.json`,
    points: `${folder}/points`,
    data: `${folder}/data`,
    checked: `${folder}/checked.json`,
  };
}
export type DiskPaths = ReturnType<typeof diskPaths>;

const six = (sequence: number): string => String(sequence).padStart(6, '0');

/** The name of a point's manifest; sequence and id are also inside, and must agree. */
export const pointName = (sequence: number, id: string): string => `${six(sequence)}-${id}.json`;

/** The names of a point's data file and digest list after `merges` merges into it. */
export const dataName = (id: string, merges: number): string => `${id}.${merges}.qcow2`;
export const digestName = (id: string, merges: number): string => `${id}.${merges}.dig`;

/** The merge count in a data file's or digest list's name when it belongs to this id; null when it does not. */
export function mergesIn(name: string, id: string, extension: 'qcow2' | 'dig'): number | null {
  const tail = name.startsWith(`${id}.`) ? name.slice(id.length + 1) : '';
  const count = new RegExp(`^(0|[1-9]\\d{0,5})\\.${extension}$`).exec(tail)?.[1];
  return count === undefined ? null : Number(count);
}

/** Whether a name is one of a data file or digest list of ours, whichever point's. */
export const isDataName = (name: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.(0|[1-9]\d{0,5})\.(qcow2|dig)$/.test(name);

/** Whether a name is one of an entry of the trash. */
export const isEntryName = (name: string): boolean => /^\d{8}T\d{6}Z-(merge|fold|prune|sweep)-[0-9a-f]{4}$/.test(name);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** An instant as it stands in ids and folder names: `20260112T020000Z`. */
export const compactInstant = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;

/** The id of one capture run: its moment and two random bytes. */
export const newId = (at: number, random: Uint8Array): string => `${compactInstant(at)}-${hex(random.subarray(0, 2))}`;
