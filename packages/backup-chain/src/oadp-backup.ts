import type { Host } from '@platter/host/door';
import { list } from '@platter/host/looks';
import { document, fileBelow } from './documents.ts';
import { type Finding, finding } from './finding.ts';
import type { History } from './foreign.ts';
import { backupIndexShape, chainIds, vmManifestShape } from './oadp.ts';
import { vmAddress } from './telling.ts';

type Place = History['place'];

/** The checkpoints that a backup says a VM needs, oldest first. */
export interface Chain extends Place {
  /** The manifest that says so. */
  object: string;
  ids: string[];
}

/** Something wrong with a backup: of one VM, or of none in particular. */
export interface Told {
  place: Place | null;
  finding: Finding;
}

/** What a backup says of its VMs. */
export interface Backup {
  chains: Chain[];
  told: Told[];
}

export const samePlace = (a: Place, b: Place): boolean => a.namespace === b.namespace && a.vm === b.vm;

const damaged = (object: string, message: string): Finding => finding('corrupt', ['oadp', object, message]);

/** The manifests of a backup's VMs; whose one is, its fields say and not its name. */
async function manifestsOf(host: Host, folder: string, base: string): Promise<Backup> {
  const names = ((await host.query(list(`${folder}/${base}`))) ?? []).map(({ name }) => name);
  const backup: Backup = { chains: [], told: [] };
  for (const name of names.filter((one) => one.endsWith('.json') && one !== 'index.json')) {
    const object = `${folder}/${base}/${name}`;
    const found = await fileBelow(host, folder, `${base}/${name}`);
    const read = 'fault' in found ? null : await document(host, found, vmManifestShape);
    const finding = damaged(object, 'it is not a manifest that can be read');
    if (read === null) backup.told.push({ place: null, finding });
    else backup.chains.push({ namespace: read.namespace, vm: read.name, object, ids: chainIds(read) });
  }
  return backup;
}

/** What is wrong with the path that an index gives of a manifest. */
async function pathFindings(
  host: Host,
  [folder, object]: readonly [string, string],
  path: string | null | undefined,
): Promise<Finding[]> {
  if (!path) return [];
  const found = await fileBelow(host, folder, path);
  if (!('fault' in found)) return [];
  if (found.fault === 'missing') return [damaged(object, `there is no ${path}`)];
  return [finding('refused', ['oadp', object, `its manifestPath ${JSON.stringify(path)} leads elsewhere`])];
}

/** What is wrong with the chain that an index expects of a VM. */
function chainFindings(object: string, chains: readonly Chain[], [place, id]: readonly [Place, string]): Finding[] {
  const [chain, ...others] = chains.filter((one) => samePlace(one, place));
  const name = vmAddress(place);
  if (chain === undefined) return [damaged(object, `it names ${name}, of which there is no manifest`)];
  if (others.length > 0) return [damaged(object, `there are several manifests of ${name}`)];
  if (chain.ids.at(-1) === id) return [];
  return [damaged(object, `it says that ${name} ends with ${id}, but its manifest with ${chain.ids.at(-1)}`)];
}

/** Reads a backup's index and its manifests, and what of them does not agree. */
export async function readBackup(host: Host, folder: string, name: string): Promise<Backup> {
  const base = `manifests/${name}`;
  const object = `${folder}/${base}/index.json`;
  const at = await fileBelow(host, folder, `${base}/index.json`);
  const index = 'fault' in at ? null : await document(host, at, backupIndexShape);
  if (index === null)
    return { chains: [], told: [{ place: null, finding: damaged(object, 'it is not an index that can be read') }] };
  const { chains, told } = await manifestsOf(host, folder, base);
  if (index.backupName !== name)
    told.push({ place: null, finding: damaged(object, `it is the index of ${JSON.stringify(index.backupName)}`) });
  for (const { name: vm, namespace, checkpointId, manifestPath } of index.vms ?? []) {
    const place = { namespace, vm };
    const found = [
      ...chainFindings(object, chains, [place, checkpointId]),
      ...(await pathFindings(host, [folder, object], manifestPath)),
    ];
    told.push(...found.map((finding) => ({ place, finding })));
  }
  return { chains, told };
}
