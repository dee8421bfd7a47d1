import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { text } from '@platter/host/looks';
import { isExported, openExports } from './exports.ts';
import { isTwin, sideOf } from './naming.ts';
import { type Policy, parsePolicy } from './policy.ts';
import { hidden, type Pool } from './pool.ts';
import { type Item, plan, type Verdict } from './retention.ts';
import { readSet } from './sidecar.ts';
import { put } from './steps.ts';
import type { Revision, Volume } from './volume.ts';

/** The policy of a volume: its own, else the pool's. */
export const policyOf = ({ settings }: Pool, { file }: Volume): Policy => parsePolicy(file.policy ?? settings.policy);

/** Whether something noted with this instant is over; what has none never is. */
export const isOver = (pool: Pool, expiresAt: string | null | undefined): boolean =>
  typeof expiresAt === 'string' && Date.parse(expiresAt) <= pool.call.now();

/** A published set whose time is over keeps nothing; one that cannot be read does. */
async function isPublished(pool: Pool, set: string): Promise<boolean> {
  const content = await pool.host.query(text(hidden(pool, `sets/${set}.json`)));
  return content !== null && !isOver(pool, readSet(content)?.expiresAt);
}

/** The revisions of a volume as retention sees them: an export or set whose time is over keeps nothing. */
async function itemsOf(pool: Pool, volume: Volume): Promise<Item[]> {
  if (volume.revisions.length === 0) return [];
  const open = (await openExports(pool)).filter((one) => one.volume === volume.name && !isOver(pool, one.expiresAt));
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
  const going = (await judged(pool, volume, policyOf(pool, volume))).filter(({ keep }) => !keep);
  await removeNames(pool, volume, going);
  return going.map(({ revision }) => revision.number);
}

/** What becomes of a revision, and why. */
export type Judged = Verdict & { revision: Revision };

/** What a policy says of each revision of a volume, ascending, `free=` aside. */
export async function judged(pool: Pool, volume: Volume, policy: Policy): Promise<Judged[]> {
  const items = await itemsOf(pool, volume);
  const verdicts = volume.head === null ? items.map(mayRepair) : plan(items, policy, pool.call.now());
  return volume.revisions.flatMap((revision, at) => (verdicts[at] ? [{ ...verdicts[at], revision }] : []));
}

const mayRepair = (item: Item): Verdict => ({ item, keep: true, reason: 'there is no head', spare: false });

/** Unlinks names, durably. */
export async function removeNames(
  pool: Pool,
  volume: Volume,
  going: readonly Pick<Judged, 'revision' | 'reason'>[],
): Promise<void> {
  if (going.length === 0) return;
  const top = volume.revisions.at(-1)?.number ?? 0;
  if (going.some(({ revision }) => revision.number === top)) await noteNumber(pool, volume, top);
  for (const { revision, reason } of going) await pool.host.change(because(remove(revision.path), reason));
  await pool.host.change(sync(volume.dir));
}

/** PUTs the counter unless the sidecar already says so; without one, what is known of it may be an export that ends. */
export async function noteNumber(pool: Pool, volume: Volume, number: number): Promise<void> {
  const { sidecar, file } = volume;
  if (sidecar === 'stored' && file.counter >= number) return;
  const counter = Math.max(file.counter, number);
  await put(pool, volume, { counter, why: `number ${counter} is never given again` });
}
