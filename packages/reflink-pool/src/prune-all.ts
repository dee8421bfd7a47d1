import { every } from '@platter/command/every';
import { Failure } from '@platter/host/failure';
import { endSets, forsaken, overdueSets } from './expiry.ts';
import { formatPolicy } from './policy.ts';
import type { Pool } from './pool.ts';
import { endForsaken, type PruneWish, pruneVolume, type Run, summaryOf } from './pruning.ts';
import type { PruneSummaryRecord } from './records/space.ts';
import { changeSettings } from './settings.ts';

/** Makes a policy the pool's own, for volumes without one: each volume is pruned by what is its policy then. */
export async function asDefault(pool: Pool, { policy, explain }: PruneWish): Promise<Pool> {
  const changes = policy === undefined ? {} : { policy: formatPolicy(policy) };
  if (explain) return { ...pool, settings: { ...pool.settings, ...changes } };
  return changeSettings(pool, changes, 'what is kept of volumes without a policy of their own');
}

interface Wanted extends PruneWish {
  names: readonly string[];
  /** Whether these are all there are. */
  all: boolean;
  said: Run['said'];
}

/** Prunes volumes, then makes room: the summary, and why it is not all that was wanted (null when it is). */
export async function pruneAll(
  pool: Pool,
  { names, all, said, ...wish }: Wanted,
): Promise<{ summary: PruneSummaryRecord; failure: Failure | null }> {
  const run: Run = { pool, wish, said, lines: new Map(), spares: [], skipped: [], freed: 0, target: null };
  if (!wish.explain) await endSets(pool, await overdueSets(pool, names));
  if (all && !wish.explain) for (const name of await forsaken(pool, names)) await endForsaken(run, name);
  const failed = await failureOf(every(pool.call, { names, alike: true }, (name) => pruneVolume(run, name)));
  if (failed !== null && run.lines.size === 0) throw failed;
  const free = run.target === null ? pool.space.free : await (await import('./room.ts')).makeRoom(run);
  if (wish.explain) for (const record of run.lines.values()) await said(record);
  const summary = summaryOf(run, free);
  return { summary, failure: failed ?? shortOf(summary) };
}

async function failureOf(work: Promise<void>): Promise<Failure | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

function shortOf({ skipped, reached }: PruneSummaryRecord): Failure | null {
  if (skipped.length > 0) return new Failure('partial', `skipped what is locked: ${skipped.join(', ')}`);
  if (reached) return null;
  return new Failure('partial', 'there is not as much free space as the policy wants', {
    hint: 'a policy that keeps less; what is pinned, labelled, in a set, exported or younger than min stays',
  });
}
