import { reading } from '@platter/command/words';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Address, addressName, type Candidate, matching, parseAddress, placeName } from './address.ts';
import { readable } from './chain-rules.ts';
import type { BackupSet, Point } from './manifest-kinds.ts';
import { type DiskFacts, type Leaf, type Repo, readVm, type VmFacts } from './repository.ts';
import { inOrder, setsInOrder } from './view.ts';

/** What an address means: one point, or a set whose members are points. */
export type Found = { facts: VmFacts } & (
  | { kind: 'point'; disk: DiskFacts; id: string }
  | { kind: 'set'; set: BackupSet }
);

const missing = (address: Address, candidates: readonly Candidate[], matches: readonly string[]): Failure => {
  const listed = (matches.length > 0 ? matches : candidates.map(({ id }) => id)).slice(-8).join(', ');
  const what = matches.length > 1 ? 'can mean more than one' : 'is not there';
  const details =
    listed === '' ? undefined : { details: { [matches.length > 1 ? 'candidates' : 'there are']: listed } };
  return new Failure('refused', `${addressName(address)} ${what}`, { ...details, hint: 'backup-chain list --points' });
};

/** Points by their ids, and by the ids of the sets that name them; a set's own moment counts. */
function pointCandidates(facts: VmFacts, disk: DiskFacts): (Candidate & { point: string })[] {
  const own = inOrder(disk).map(({ id, capturedAt }) => ({ id, capturedAt, point: id }));
  const named = setsInOrder(facts).flatMap(({ id, capturedAt, members }) => {
    const member = members.find((one) => one.disk === disk.name);
    return member && !own.some((one) => one.id === id) ? [{ id, capturedAt, point: member.point }] : [];
  });
  return [...named, ...own];
}

/** A point whose manifest cannot be read is still known by its file's name. */
const lostId = ({ name }: Leaf<unknown>): string => name.slice(7, -'.json'.length);

/** The point of a disk that an address means; 3 with the candidates when it means none or several. */
export function pointOf(facts: VmFacts, address: Address, disk: DiskFacts): Found & { kind: 'point' } {
  const candidates = pointCandidates(facts, disk);
  const lost = disk.points.filter(({ value }) => value === null).map(lostId);
  if (lost.includes(address.ref)) return { kind: 'point', facts, disk, id: address.ref };
  const newest = address.ref === 'latest' ? inOrder(disk).at(-1)?.id : undefined;
  const matches = newest === undefined ? matching(address.ref, candidates) : [newest];
  const [id] = matches;
  if (id === undefined || matches.length > 1) throw missing(address, candidates, matches);
  return { kind: 'point', facts, disk, id: candidates.find((one) => one.id === id)?.point ?? id };
}

function setOf(facts: VmFacts, address: Address): Found {
  const sets = setsInOrder(facts);
  const matches = matching(address.ref, sets);
  const set = matches.length === 1 ? sets.find(({ id }) => id === matches[0]) : undefined;
  const broken = facts.sets.find(({ name, value }) => value === null && name === `${address.ref}.json`);
  if (broken?.fault)
    throw new Failure(broken.fault.code, `${broken.path}: ${broken.fault.message}`, {
      hint: 'its points can be restored one by one',
    });
  if (set === undefined) throw missing(address, sets, matches);
  return { kind: 'set', facts, set };
}

/** `A/B@REF` is the set of VM B; where there is no such VM, disk B of the VM A in `default`. */
async function readAddressed(host: Host, repo: Repo, address: Address): Promise<{ facts: VmFacts; address: Address }> {
  const facts = await readVm(host, repo, address);
  if (address.disk !== null || address.namespace === 'default' || facts.disks.length > 0) return { facts, address };
  const short = { namespace: 'default', vm: address.namespace, disk: address.vm, ref: address.ref };
  const others = await readVm(host, repo, short);
  return others.disks.some(({ name }) => name === short.disk) ? { facts: others, address: short } : { facts, address };
}

/** The disk that an address names; 3 when the VM has no such disk. */
function diskOf({ disks }: VmFacts, address: Address): DiskFacts {
  const disk = disks.find(({ name }) => name === address.disk);
  if (disk !== undefined) return disk;
  const known = disks.map(({ name }) => name).join(', ');
  const details = known === '' ? {} : { details: { 'there are': known } };
  throw new Failure('refused', `there is no disk ${placeName(address)}`, details);
}

/**
 * The ids of a run of points. Its first may have been merged into its last already, and is said by its id or a part of
 * it, so that the same words mean the same when they are said again.
 */
export function runIn(facts: VmFacts, { from, to }: { from: string; to: Address }) {
  const disk = diskOf(facts, to);
  const { id } = pointOf(facts, to, disk);
  const ids = inOrder(disk).flatMap((point) => [...point.supersedes, point.id]);
  const candidates = [...new Set(ids)].map((one) => ({ id: one, capturedAt: '' }));
  const matches = matching(from, candidates);
  if (matches.length > 1) throw missing({ ...to, ref: from }, candidates, matches);
  return { disk: disk.name, from: matches[0] ?? from, to: id };
}

/** Finds what an address means (spec 2.1); 3 with the candidates when it means nothing or too much. */
export async function resolve(host: Host, repo: Repo, word: string): Promise<Found> {
  const { facts, address } = await readAddressed(
    host,
    repo,
    reading('ADDR', () => parseAddress(word)),
  );
  if (address.disk === null) return setOf(facts, address);
  return pointOf(facts, address, diskOf(facts, address));
}

/** The set that an address means; 2 when it means a point. */
export async function resolveSet(host: Host, repo: Repo, word: string): Promise<Found & { kind: 'set' }> {
  const found = await resolve(host, repo, word);
  if (found.kind === 'set') return found;
  throw new Failure('usage', `${word} is a point`, { hint: 'a set, without a disk: [NS/]VM@REF' });
}

/** The points that an address means: one, or each member of a set. */
export function pointsOf(found: Found): { disk: DiskFacts; id: string }[] {
  if (found.kind === 'point') return [{ disk: found.disk, id: found.id }];
  return found.set.members.map(({ disk, point }) => {
    const known = found.facts.disks.find(({ name }) => name === disk);
    if (known !== undefined) return { disk: known, id: point };
    throw new Failure('corrupt', `the set ${found.set.id} names the disk ${disk}, which is not there`);
  });
}

/** The manifest of a point when it can be read. */
export const manifestOf = (disk: DiskFacts, id: string): Point | undefined =>
  readable(disk).find((one) => one.id === id);
