import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { stat } from '@platter/host/looks';
import { isExported, openExports } from './exports.ts';
import { isTwin, sideOf } from './naming.ts';
import { type Policy, parsePolicy } from './policy.ts';
import { hidden, type Pool } from './pool.ts';
import { type Item, plan } from './retention.ts';
import { put } from './steps.ts';
import type { Revision, Volume } from './volume.ts';

/** The policy of a volume: its own, else the pool's. */
export const policyOf = ({ settings }: Pool, { file }: Volume): Policy => parsePolicy(file.policy ?? settings.policy);

async function isPublished(pool: Pool, set: string): Promise<boolean> {
  return (await pool.host.query(stat(hidden(pool, `sets/${set}.json`)))) !== null;
}

/** The revisions of a volume as retention sees them. */
export async function itemsOf(pool: Pool, volume: Volume): Promise<Item[]> {
  if (volume.revisions.length === 0) return [];
  const open = (await openExports(pool)).filter((one) => one.volume === volume.name);
  return Promise.all(
    volume.revisions.map(async (revision) => {
      const { facts, number, dev, ino, time } = revision;
      const exported = open.some((one) => isExported(revision, one));
      const set = facts?.set && (await isPublished(pool, facts.set)) ? facts.set : null;
      const expiresAt = facts?.expiresAt ? Date.parse(facts.expiresAt) : null;
      const named = { twin: isTwin(volume, revision), side: sideOf(revision), label: facts?.label ?? null };
      const kept = { pins: facts?.pins ?? [], expiresAt, set, exported };
      return { number, image: `${dev}:${ino}`, time: Date.parse(time), ...named, ...kept };
    }),
  );
}

/**
 * Removes what the policy lets go, `free=` aside; the numbers that went, ascending. A volume without a head loses
 * nothing: any of its revisions may be what repairs it.
 */
export async function prune(pool: Pool, volume: Volume): Promise<number[]> {
  if (volume.head === null) return [];
  const verdicts = plan(await itemsOf(pool, volume), policyOf(pool, volume), pool.call.now());
  const going = volume.revisions.flatMap((one, at) => (verdicts[at]?.keep === false ? [{ one, ...verdicts[at] }] : []));
  if (going.length === 0) return [];
  await guardNumbers(
    pool,
    volume,
    going.map(({ one }) => one),
  );
  for (const { one, reason } of going) await pool.host.change(because(remove(one.path), reason));
  await pool.host.change(sync(volume.dir));
  return going.map(({ one }) => one.number);
}

/** Before the highest number goes it is noted, so that it is never given again (N4). */
async function guardNumbers(pool: Pool, volume: Volume, going: readonly Revision[]): Promise<void> {
  const top = volume.revisions.at(-1)?.number ?? 0;
  if (going.some(({ number }) => number === top)) await noteNumber(pool, volume, top);
}

/** PUTs the counter unless it already says so. */
export async function noteNumber(pool: Pool, volume: Volume, number: number): Promise<void> {
  if (volume.file.counter >= number) return;
  await put(pool, volume, { counter: number, why: `number ${number} is never given again` });
}
