import type { Call } from '@platter/command/call';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import { formatSize } from '@platter/units/size';
import { type Place, placeName } from './address.ts';
import { chainOf, dependents, unreadable } from './chain.ts';
import type { Point } from './manifest-kinds.ts';
import { lastDrillOf, type Receipts, readReceipts, receiptFindings } from './receipts.ts';
import { listVms, type Repo, readVm, type VmFacts } from './repository.ts';
import { holding, pointAddress, pointLine, setAddress } from './telling.ts';
import { inOrder, isHidden, pinsOn, pointRecord, setRecord, setsInOrder, standingOf } from './view.ts';

export interface Listing {
  place: Place | null;
  points: boolean;
  all: boolean;
}

type Emit = Pick<Call<unknown>, 'emit' | 'warn'>;

async function listSets({ emit }: Emit, facts: VmFacts, receipts: Receipts): Promise<void> {
  for (const set of setsInOrder(facts)) {
    const pins = pinsOn(facts, set.id);
    const name = setAddress(set);
    const members = set.members
      .map(({ disk, point }) => (point === set.id ? disk : `${disk} (of ${point})`))
      .join(', ');
    const last = lastDrillOf(receipts, set);
    const kept = pins.length > 0 ? `  pinned ${pins.join(', ')}` : '';
    const drilled = last === null ? '' : `  drilled ${last.at} ${last.result}`;
    const text = `${name}  ${set.capturedAt}  ${members}${kept}${drilled}`;
    await emit(setRecord(set, pins, last), { text, name });
  }
}

async function listPoints({ emit }: Emit, facts: VmFacts, { place, all }: Listing): Promise<void> {
  for (const disk of facts.disks.filter(({ name }) => place?.disk == null || name === place.disk))
    for (const point of inOrder(disk)) {
      if (!all && isHidden(facts, disk.name, point.id)) continue;
      const { links } = chainOf({ facts, disk }, point.id);
      const name = pointAddress(point);
      await emit(pointRecord(point, standingOf(facts, disk, [point, links])), {
        text: `${name}  ${pointLine(point)}`,
        name,
      });
    }
}

/** Rows for what cannot be read; says how many there are. */
async function listBroken({ emit, warn }: Emit, { disks, sets }: VmFacts, receipts: Receipts): Promise<number> {
  const leaves = [...disks.flatMap(({ points, identity }) => [identity, ...points]), ...sets];
  const broken = [...unreadable(leaves), ...receiptFindings(receipts)];
  for (const { object, code, message } of broken) {
    const failure = { metadata: { name: object }, failure: code, message };
    await emit({ apiVersion: 'platter.dev/v1', kind: 'Failure', ...failure }, {});
    warn(`${object}: ${message}`);
  }
  return broken.length;
}

/** A place of which the repository knows nothing: 3. */
async function refuseUnknown(host: Host, { paths, disks }: VmFacts, place: Place): Promise<void> {
  const there = place.disk === null || disks.some(({ name }) => name === place.disk);
  if (there && (await host.query(lstat(paths.folder))) !== null) return;
  throw new Failure('refused', `there is no ${placeName(place)}`, { hint: 'backup-chain list' });
}

/** Lists the sets, or the points, of one VM or all; says how many manifests could not be read. */
export async function listAll(call: Call<unknown>, repo: Repo, listing: Listing): Promise<number> {
  const vms = listing.place === null ? await listVms(call.host, repo) : [listing.place];
  let broken = 0;
  for (const vm of vms) {
    const facts = await readVm(call.host, repo, vm);
    if (listing.place !== null) await refuseUnknown(call.host, facts, listing.place);
    const receipts = await readReceipts(call.host, facts.paths);
    if (listing.points || listing.place?.disk != null) await listPoints(call, facts, listing);
    else await listSets(call, facts, receipts);
    broken += await listBroken(call, facts, receipts);
  }
  return broken;
}

/** The lines of a point: itself, its chain file by file, and how to restore it. */
export function pointLines(facts: VmFacts, [name, now]: readonly [string, number], links: readonly Point[]): string[] {
  const leaf = links.at(-1);
  const rows = links.map((point) => {
    const { id, type, sequence, data, capturedAt } = point;
    return `  ${id}  ${type}  seq ${sequence}  ${formatSize(data.size)}  ${holding(point)}  ${ageOf(now, capturedAt)}`;
  });
  const unproven = leaf?.capture.unproven ?? [];
  const pins = leaf ? pinsOn(facts, leaf.id) : [];
  const disk = facts.disks.find((one) => one.name === leaf?.disk.name);
  const resting = leaf && disk ? dependents(disk, leaf.id).length - 1 : 0;
  return [
    `${name}  ${formatSize(leaf?.virtualSize ?? 0)}  ${links.length} ${links.length === 1 ? 'layer' : 'layers'}`,
    ...rows,
    ...(unproven.length > 0 ? [`  unproven  ${unproven.join(', ')}`] : []),
    ...(pins.length > 0 ? [`  pins  ${pins.join(', ')}`] : []),
    ...(resting > 0 ? [`  dependents  ${resting}`] : []),
    `  restore  backup-chain restore ${name} --to TARGET`,
  ];
}

/** How long ago, in the largest unit. */
export function ageOf(now: number, at: string): string {
  const minutes = Math.max(0, Math.floor((now - Date.parse(at)) / 60_000));
  if (minutes < 60) return `${minutes}m ago`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)}h ago` : `${Math.floor(minutes / 1440)}d ago`;
}
