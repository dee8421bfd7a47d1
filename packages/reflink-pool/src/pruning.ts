import { Failure } from '@platter/host/failure';
import { sizeWord } from '@platter/units/size';
import { about } from './about.ts';
import { endOverdue } from './expiry.ts';
import { lookAt } from './family.ts';
import { locked } from './lock.ts';
import { mustExist } from './machine.ts';
import { formatPolicy, type Policy } from './policy.ts';
import type { Pool } from './pool.ts';
import { type Judged, judged, policyOf, removeNames } from './prune.ts';
import type { PruneRecord, PruneSummaryRecord } from './records/space.ts';
import { Scales } from './scales.ts';
import { put } from './steps.ts';
import type { Volume } from './volume.ts';

/** What the person wants of a prune: a policy instead of the volumes' own, to be kept as theirs, or only told. */
export interface PruneWish {
  policy: Policy | undefined;
  save: boolean;
  explain: boolean;
}

/** A name that may go where room is wanted, and how much free space its policy wants, in bytes. */
export interface Spare {
  volume: Volume;
  judged: Judged;
  scales: Scales;
  target: number;
  /** The same as the policy says it. */
  word: string;
}

/** One run over several volumes. */
export interface Run {
  pool: Pool;
  wish: PruneWish;
  /** What was found, by name, in order; the last word on each. */
  lines: Map<string, PruneRecord>;
  spares: Spare[];
  skipped: string[];
  /** Predicted bytes. */
  freed: number;
  /** The most free space that a policy wants, in bytes; null when none does. */
  target: number | null;
  said: (record: PruneRecord) => Promise<void>;
}

/** Prunes one volume under its lock, or only looks at it. A locked one is skipped. */
export async function pruneVolume(run: Run, name: string): Promise<void> {
  const { pool, wish } = run;
  const work = async (found: Volume) => pruned(run, saved(await mustExist(pool, found)));
  await orSkip(run, name, async () => (wish.explain ? work(await lookAt(pool, name)) : locked(pool, name, work)));
}

/** Ends what is over of the exports of a volume that is not pruned itself. */
export const endForsaken = (run: Run, name: string): Promise<void> =>
  orSkip(run, name, () => locked(run.pool, name, () => endOverdue(run.pool, name)));

async function orSkip({ pool, skipped }: Run, name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    pool.call.warn(error.message);
    skipped.push(name);
  }
}

function saved(volume: Volume): Volume {
  const { name, file } = volume;
  if (file.volumeKind === 'saved') return volume;
  throw new Failure('refused', `will not prune ${name}: a ${file.volumeKind} volume has no former states`);
}

async function pruned(run: Run, found: Volume): Promise<void> {
  const { pool, wish } = run;
  if (!wish.explain) await endOverdue(pool, found.name);
  const volume = wish.save && !wish.explain ? await withPolicy(pool, found, wish.policy) : found;
  const all = await judgedFor(run, volume);
  const going = all.filter(({ keep }) => !keep);
  const scales = new Scales(pool, volume);
  const records: PruneRecord[] = [];
  for (const one of all) records.push(await recordOf(volume, one, scales));
  run.freed += (await scales.further(going.map(({ revision }) => revision))) ?? 0;
  if (!wish.explain) await removeNames(pool, volume, going);
  for (const record of records) await note(run, record);
  const wanted = wantedBy(pool, policyFor(run, volume));
  if (wanted === null) return;
  run.target = Math.max(run.target ?? 0, wanted.target);
  const spares = all.filter(({ spare }) => spare);
  run.spares.push(...spares.map((one) => ({ volume, judged: one, scales, ...wanted })));
}

const policyFor = ({ pool, wish }: Run, volume: Volume): Policy => wish.policy ?? policyOf(pool, volume);

/** What becomes of each name of a volume as it is now, room aside. */
export const judgedFor = (run: Run, volume: Volume): Promise<Judged[]> =>
  judged(run.pool, volume, policyFor(run, volume));

/** PUTs the policy as the volume's own; the same again writes nothing. */
async function withPolicy(pool: Pool, volume: Volume, wanted: Policy | undefined): Promise<Volume> {
  const policy = wanted === undefined ? volume.file.policy : formatPolicy(wanted);
  if (policy === volume.file.policy) return volume;
  await put(pool, volume, { policy, why: `what is kept of ${volume.name}` });
  return { ...volume, file: { ...volume.file, policy } };
}

/** The free space a policy wants. */
function wantedBy({ space }: Pool, { free }: Policy): Pick<Spare, 'target' | 'word'> | null {
  if (free === null) return null;
  if ('bytes' in free) return { target: free.bytes, word: sizeWord(free.bytes) };
  return { target: Math.ceil((space.total * free.percent) / 100), word: `${free.percent}%` };
}

/** What is said of one name. */
export async function recordOf({ name }: Volume, one: Judged, scales: Scales): Promise<PruneRecord> {
  const { revision, keep, reason } = one;
  const { number, time } = revision;
  const action = keep ? ('keep' as const) : ('remove' as const);
  const reclaimable = keep ? null : await scales.single(revision);
  return { ...about('Prune', name), number, action, reason, time, reclaimable };
}

/** Notes what became of a name; what went is said at once, unless everything is explained at the end. */
export async function note(run: Run, record: PruneRecord): Promise<void> {
  run.lines.set(`${record.volume}@${record.number} ${record.time}`, record);
  if (record.action === 'remove' && !run.wish.explain) await run.said(record);
}

/** What it all came to. */
export function summaryOf(run: Run, free: number): PruneSummaryRecord {
  const { pool, lines, skipped, freed, target } = run;
  const removed = [...lines.values()].filter(({ action }) => action === 'remove').length;
  const head = { apiVersion: 'platter.dev/v1', kind: 'PruneSummary', metadata: { name: pool.path } } as const;
  const room = { freeTarget: target, reached: target === null || free >= target };
  return { ...head, removed, kept: lines.size - removed, skipped, freed, ...room };
}
