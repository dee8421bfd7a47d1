import type { Host } from '@platter/host/door';
import { isId } from './address.ts';
import { document, fileBelow } from './documents.ts';
import { type Finding, finding } from './finding.ts';
import type { History, Moment } from './foreign.ts';
import { forks, type Index, inOrder, type Listed, typeIn, vmIndexShape, walk } from './oadp.ts';
import type { Chain } from './oadp-backup.ts';
import { readCheckpoint } from './oadp-checkpoint.ts';

/** One VM of a tree, and what of it is meant. */
export interface VmWish {
  folder: string;
  place: History['place'];
  /** What backups say that it needs. */
  chains: readonly Chain[];
  /** All its checkpoints, or only those of the chains. */
  whole: boolean;
  /** Only these disks; none is all. */
  disks: readonly string[];
}

type Read = { history: History; findings: Finding[] };

const damaged = (object: string, message: string): Finding => finding('corrupt', ['oadp', object, message]);

/** What is wrong with a list of checkpoints as a list. */
function listFindings(object: string, listed: readonly Listed[], index: Index): Finding[] {
  const found = listed.length === index.size ? [] : [damaged(object, 'it lists a checkpoint twice')];
  for (const { id } of listed)
    if (!isId(id)) found.push(finding('refused', ['oadp', object, `${JSON.stringify(id)} is no id that can be kept`]));
  for (const one of listed)
    if (typeIn(one) === null)
      found.push(damaged(object, `the type ${JSON.stringify(one.type)} of ${one.id} is unknown`));
  return found;
}

/** What is wrong with the chains: a member that is missing, a chain told differently, several that rest on one. */
function chainFindings(object: string, index: Index, { chains, whole }: VmWish): Finding[] {
  const ids = whole ? [...index.keys()] : [];
  const broken = ids.flatMap((id) => {
    const { fault } = walk(index, id);
    return fault === null ? [] : [damaged(object, `the chain of ${id} is broken: ${fault}`)];
  });
  const torn = chains.flatMap((chain) => {
    const walked = walk(index, chain.ids.at(-1) ?? '');
    if (walked.fault !== null) return [damaged(chain.object, `its chain is broken: ${walked.fault}`)];
    const same = walked.ids.length === chain.ids.length && walked.ids.every((id, n) => id === chain.ids[n]);
    const message = `it tells the chain ${chain.ids.join(', ')}, but the parents say ${walked.ids.join(', ')}`;
    return same ? [] : [damaged(chain.object, message)];
  });
  const forked = forks(index).map((id) =>
    finding('refused', ['oadp', object, `several checkpoints rest on ${id}; one chain can be kept`]),
  );
  return [...broken, ...torn, ...forked];
}

/** The checkpoints that are meant. */
function wanted(index: Index, { chains, whole }: VmWish): Index {
  const needed = new Set(chains.flatMap(({ ids }) => ids));
  return whole ? index : new Map([...index].filter(([id]) => needed.has(id)));
}

/** Increments of disks that their parent does not have. */
function gaps(object: string, index: Index, moments: readonly Moment[]): Finding[] {
  const disks = new Map(moments.map(({ id, files }) => [id, files.map(({ disk }) => disk)]));
  return moments.flatMap(({ id, files }) => {
    const parent = index.get(id ?? '')?.parent ?? '';
    const lost = files.filter(({ disk, type }) => type === 'incremental' && !disks.get(parent)?.includes(disk));
    return lost.map(({ disk }) => damaged(object, `${id} has an increment of ${disk}, of which ${parent} has nothing`));
  });
}

function absent(object: string, { disks }: VmWish, moments: readonly Moment[]): Finding[] {
  const known = new Set(moments.flatMap(({ files }) => files.map(({ disk }) => disk)));
  const lost = disks.filter((disk) => !known.has(disk));
  return lost.map((disk) => finding('refused', ['oadp', object, `no checkpoint has a disk ${disk}`]));
}

/** What a tree says of a VM: its checkpoints in order, each with its files, and everything that is wrong with that. */
export async function readHistory(host: Host, wish: VmWish): Promise<Read> {
  const { folder, place } = wish;
  const base = `checkpoints/${place.namespace}/${place.vm}`;
  const object = `${folder}/${base}/index.json`;
  const history: History = { place, from: 'oadp', folder, moments: [] };
  const at = await fileBelow(host, folder, `${base}/index.json`);
  const read = 'fault' in at ? null : await document(host, at, vmIndexShape);
  if (read === null) return { history, findings: [damaged(object, 'it is not an index that can be read')] };
  if (read.vmName !== place.vm || read.namespace !== place.namespace)
    return { history, findings: [damaged(object, `it is the index of ${read.namespace}/${read.vmName}`)] };
  const index = new Map(read.checkpoints.map((one) => [one.id, one]));
  const meant = wanted(index, wish);
  const findings = listFindings(object, wish.whole ? read.checkpoints : [...meant.values()], meant);
  if (findings.length > 0) return { history, findings };
  findings.push(...chainFindings(object, wish.whole ? index : meant, wish));
  for (const listed of inOrder(meant)) {
    const one = await readCheckpoint(host, { folder, base: `${base}/${listed.id}`, listed, disks: wish.disks });
    findings.push(...one.findings);
    if (one.moment.files.length > 0) history.moments.push(one.moment);
  }
  if (findings.length === 0)
    findings.push(...gaps(object, meant, history.moments), ...absent(object, wish, history.moments));
  return { history, findings };
}
