import { hash } from 'node:crypto';
import type { Call } from '@platter/command/call';
import { remove } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { errno } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { formatInstant } from '@platter/units/instant';
import { type Finding, finding } from './finding.ts';
import { compactInstant, isTemporary, type VmPaths } from './layout.ts';
import { manifestText, seal } from './manifest.ts';
import type { BackupSet, Receipt } from './manifest-kinds.ts';
import { ensureFolder, publish } from './publish.ts';
import { broken, type Leaf, leaves } from './repository.ts';

/** The receipts of one VM, oldest first by name. */
export type Receipts = readonly Leaf<Receipt>[];

const nameOf = ({ at, point, disk }: Pick<Receipt, 'at' | 'point' | 'disk'>): string =>
  `${compactInstant(Date.parse(at))}-${point}.${disk?.name}.json`;

const rightlyNamed = (leaf: Leaf<Receipt>): Leaf<Receipt> =>
  leaf.value === null || leaf.name === nameOf(leaf.value)
    ? leaf
    : broken(leaf.path, leaf.name, `it is the receipt ${nameOf(leaf.value)}`);

/** All receipts of a VM; what cannot be read says why. */
export async function readReceipts(host: Host, { receipts }: VmPaths): Promise<Receipts> {
  return (await leaves(host, receipts, 'Drill')).map(rightlyNamed);
}

const readable = (receipts: Receipts, disk: string): Receipt[] =>
  receipts.flatMap(({ value }) => (value?.disk?.name === disk ? [value] : []));

const digestOf = (manifest: object): string => hash('sha256', manifestText(manifest));

/** The SHA-256 of a disk's newest receipt: the one that no other follows. */
export function newestDigest(receipts: Receipts, disk: string): string | null {
  const all = readable(receipts, disk);
  const followed = new Set(all.map(({ previous }) => previous));
  return all.map(digestOf).findLast((digest) => !followed.has(digest)) ?? null;
}

/** Receipts that cannot be read, and those whose predecessor is not there as it was. */
export function receiptFindings(receipts: Receipts): Finding[] {
  const there = new Set(receipts.flatMap(({ value }) => (value === null ? [] : [digestOf(value)])));
  return receipts.flatMap(({ path, value, fault }) => {
    if (fault !== null) return [finding(fault.code, ['C11', path, fault.message])];
    if (value?.previous == null || there.has(value.previous)) return [];
    return [finding('corrupt', ['receipt', path, 'the receipt before it is not there as it was'])];
  });
}

/** A disk's drills of one point, oldest first. */
export const drillsOf = (receipts: Receipts, disk: string, point: string): Receipt[] =>
  readable(receipts, disk).filter((one) => one.point === point);

/** When a set was drilled last, and whether each of its disks stood its own last drill. */
export interface LastDrill {
  at: string;
  result: 'ok' | 'failed' | 'partial';
}

/** The last drill of a set: of each member the newest; `partial` when some were never drilled. Null when none was. */
export function lastDrillOf(receipts: Receipts, { members }: Pick<BackupSet, 'members'>): LastDrill | null {
  const last = members.map(({ disk, point }) => drillsOf(receipts, disk, point).at(-1));
  const there = last.filter((one) => one !== undefined);
  const newest = there
    .map(({ at }) => at)
    .sort()
    .at(-1);
  if (newest === undefined) return null;
  if (there.some(({ result }) => result === 'failed')) return { at: newest, result: 'failed' };
  return { at: newest, result: there.length < last.length ? 'partial' : 'ok' };
}

const readOnly = ['EROFS', 'EACCES', 'EPERM'];
/** How long a drill of the same VM may take to write its receipt, in ms. */
const patience = 10_000;

/** What a receipt says, before it has its place among the others. */
export type Draft = Omit<Receipt, 'at' | 'previous' | 'self'>;

/** A receipt at the first free second from `now` on, which follows the disk's newest. */
function following(draft: Draft, receipts: Receipts, now: number): Receipt {
  const taken = new Set(receipts.map(({ name }) => name));
  let at = now;
  while (taken.has(nameOf({ ...draft, at: formatInstant(at) }))) at += 1000;
  const previous = draft.disk === null ? null : newestDigest(receipts, draft.disk.name);
  return seal({ ...draft, at: formatInstant(at), previous });
}

/** One writer at a time, so that no two receipts follow the same one; what a killed one left is swept. */
async function publishReceipt({ host, now }: Call<unknown>, paths: VmPaths, draft: Draft): Promise<Receipt> {
  await ensureFolder(host, paths.receipts);
  const lock = await host.change({ op: 'lock', path: paths.receipts, wait: patience });
  try {
    const found = (await host.query(list(paths.receipts))) ?? [];
    for (const { name } of found.filter((one) => isTemporary(one.name)))
      await host.change(remove(`${paths.receipts}/${name}`));
    const receipt = following(draft, await readReceipts(host, paths), now());
    await publish(host, [paths.receipts, nameOf(receipt)], receipt);
    return receipt;
  } finally {
    lock.release();
  }
}

/** Writes a receipt into its VM's folder; where the repository cannot be written it is only told, which is said. */
export async function keepReceipt(call: Call<unknown>, paths: VmPaths, draft: Draft): Promise<Receipt> {
  try {
    return await publishReceipt(call, paths, draft);
  } catch (error) {
    if (!readOnly.includes(errno(error) ?? '')) throw error;
    call.note(`${paths.receipts} cannot be written: the receipt is told here and not kept there`);
    return following(draft, await readReceipts(call.host, paths), call.now());
  }
}

/** A receipt of what is in no repository. */
export const looseReceipt = (call: Call<unknown>, draft: Draft): Receipt => following(draft, [], call.now());
