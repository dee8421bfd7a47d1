import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { reading } from '@platter/command/words';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { parseDiskName } from './address.ts';
import { pairsOf, placeOf, usage } from './asking.ts';
import { refuse } from './finding.ts';
import { disksIn, type History } from './foreign.ts';
import type { ImportWish } from './import.ts';
import { folderOf, pushOutput } from './kubevirt.ts';
import { momentsOf } from './naming-files.ts';
import { readTree, type TreeVm } from './oadp-tree.ts';
import { openRepository } from './repository.ts';

export interface ImportFlags {
  vm: string | undefined;
  oadp: string | undefined;
  kubevirt: string | undefined;
  backup: string | undefined;
  disks: string | undefined;
  full: boolean;
  after: string | undefined;
  'ignore-backing': boolean;
  at: number | undefined;
  uid: string[];
  label: string[];
  workers: number;
  wait: number;
}

type Said = Call<ImportFlags>;

/** The VM that `--vm` names; 2 without it. */
const placeIn = ({ flags }: Said): History['place'] => {
  const { namespace, vm } = placeOf(flags.vm, { lists: [], images: [] });
  return { namespace, vm };
};

/** The names in `--disks A,B`. */
const disksSaid = ({ flags }: Said): string[] =>
  (flags.disks?.split(',') ?? []).map((name) => reading('--disks', () => parseDiskName(name)));

/** Flags that say nothing where the words come from somewhere else. */
function refuseFlags({ flags, words }: Said): void {
  const { oadp, kubevirt, backup, disks, full, after } = flags;
  const from = oadp !== undefined ? '--oadp' : kubevirt !== undefined ? '--kubevirt' : 'DISK=FILE';
  const wrong: (readonly [boolean, string])[] = [
    [oadp !== undefined && kubevirt !== undefined, '--kubevirt'],
    [from !== 'DISK=FILE' && words.length > 0, 'DISK=FILE'],
    [from !== '--oadp' && backup !== undefined, '--backup'],
    [from === '--oadp' && after !== undefined, '--after'],
    [from === '--oadp' && flags.at !== undefined, '--at'],
    [from === 'DISK=FILE' && disks !== undefined, '--disks'],
  ];
  const first = wrong.find(([said]) => said);
  if (first !== undefined) throw usage(`${first[1]} does not go with ${from}`);
  if (full && after !== undefined) throw usage('--full begins a chain, --after goes on with one: say one of them');
}

async function histories(call: Said, host: Host): Promise<TreeVm[]> {
  const { oadp, kubevirt, backup, full, after, vm } = call.flags;
  const disks = disksSaid(call);
  if (oadp !== undefined) {
    const place = vm === undefined ? undefined : placeIn(call);
    const folder = await folderOf(host, resolve(call.cwd, oadp));
    const { vms, findings } = await readTree(host, { folder, backup, vm: place, disks });
    refuse(findings, `${oadp} cannot be imported`);
    return vms;
  }
  const place = placeIn(call);
  const own = { place, findings: [] };
  if (kubevirt === undefined) {
    const moments = momentsOf({ words: call.words, cwd: call.cwd, onto: after !== undefined });
    return [{ ...own, from: 'files', folder: null, moments }];
  }
  const folder = await folderOf(host, resolve(call.cwd, kubevirt));
  const moment = await pushOutput(host, folder, { disks, full, after });
  return [{ ...own, from: 'kubevirt', folder, moments: [moment] }];
}

/** A full that KubeVirt itself calls so begins a chain without being asked to. */
const isFull = ({ from, moments }: History, said: boolean): boolean =>
  said || (from === 'kubevirt' && moments[0]?.files[0]?.type === 'full');

function uidsFor(call: Said, vms: readonly TreeVm[]): Map<string, string> {
  const uids = pairsOf('--uid', call.flags.uid);
  if (uids.size > 0 && vms.length > 1) throw usage('--uid means the disks of one VM', '--vm NS/VM');
  const known = vms.flatMap(disksIn);
  const unknown = [...uids.keys()].find((disk) => vms.length > 0 && !known.includes(disk));
  if (unknown !== undefined) throw usage(`--uid names ${unknown}, which is not imported`);
  return uids;
}

/** One import for each VM, with what stands in its way; what was said wrong is exit 2. */
export async function importsOf(call: Said, root: string): Promise<(ImportWish & Pick<TreeVm, 'findings'>)[]> {
  refuseFlags(call);
  const { flags, host } = call;
  const labels = Object.fromEntries(pairsOf('--label', flags.label));
  const vms = await histories(call, host);
  const uids = uidsFor(call, vms);
  if (vms.length === 0) throw new Failure('refused', `${flags.oadp} holds no VM`);
  const repo = await openRepository(host, root);
  const { after, at, workers, wait, 'ignore-backing': ignoreBacking } = flags;
  return vms.map(({ findings, ...history }) => {
    const full = isFull(history, flags.full);
    return { repo, history, findings, full, after, ignoreBacking, at, uids, labels, workers, wait };
  });
}
