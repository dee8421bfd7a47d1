import { create, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, text } from '@platter/host/looks';
import { about } from './about.ts';
import { lookAt } from './family.ts';
import { finished } from './lock.ts';
import { mustExist } from './machine.ts';
import { isTwin } from './naming.ts';
import { near } from './nearest.ts';
import { type Pending, pendingSets } from './pending.ts';
import { hidden, type Pool, waitOf } from './pool.ts';
import type { RevertRecord } from './records/cycle.ts';
import type { SetRecord } from './records/look.ts';
import { clearing, type RevertWish, refuseOther } from './revert.ts';
import { complete, settleSet, sweepSets } from './settle.ts';
import { readSet, type SetFile } from './sidecar.ts';
import { built } from './steps.ts';
import { withAll } from './take.ts';
import type { Revision, Volume } from './volume.ts';

/** The names of the published sets, in byte order. */
export async function setNames(pool: Pool): Promise<string[]> {
  const entries = (await pool.host.query(list(hidden(pool, 'sets')))) ?? [];
  return entries.flatMap(({ name }) => (name.endsWith('.json') ? [name.slice(0, -5)] : [])).sort();
}

/** A published set; null when there is none of that name. */
export async function setOf(pool: Pool, name: string): Promise<SetFile | null> {
  const content = await pool.host.query(text(hidden(pool, `sets/${name}.json`)));
  return content === null ? null : readSet(content);
}

export const setRecord = (
  name: string,
  { members, createdAt, consistency, pauseMs, expiresAt }: SetFile,
): SetRecord => ({
  ...{ apiVersion: 'platter.dev/v1', kind: 'Set', metadata: { name } },
  createdAt: createdAt ?? null,
  consistency: consistency ?? null,
  members,
  pauseMs: pauseMs ?? null,
  expiresAt: expiresAt ?? null,
});

interface Member {
  volume: Volume;
  revision: Revision;
}

type SetWish = Omit<RevertWish, 'confirmed'> & { confirm: string[] };

/** Reverts all members of a set as one: a redo log makes a killed run complete itself at the next verb on any of them. */
export async function revertSet(pool: Pool, name: string, wish: SetWish): Promise<RevertRecord[]> {
  const set = await setOf(pool, name);
  if (set === null) {
    const hint = near(name, await setNames(pool)).join(', ') || 'reflink-pool list --sets';
    throw new Failure('refused', `there is no set ${name}`, { hint });
  }
  for (const pending of (await pendingSets(pool)).filter((one) => one.name === name)) await settleSet(pool, pending);
  return withAll(pool, { volumes: volumesIn(set), wait: waitOf(pool) }, () =>
    reverted(pool, { name, kind: 'revert', members: set.members }, wish),
  );
}

/** The volumes a set has a state of. */
export const volumesIn = ({ members }: SetFile): string[] => members.map(({ volume }) => volume);

/** Under all locks: every member is looked at before the first is touched. */
async function reverted(pool: Pool, pending: Pending, wish: SetWish): Promise<RevertRecord[]> {
  await sweepSets(pool);
  const members = await Promise.all(pending.members.map(({ volume, number }) => memberOf(pool, volume, number)));
  const confirmed = ({ name }: Volume) => ({ ...wish, confirmed: wish.confirm.includes(name) });
  const clears = await Promise.all(members.map(({ volume }) => clearing(pool, volume, confirmed(volume))));
  for (const clear of clears) await clear();
  const records = members.map(recordOf);
  if (records.every(({ outcome }) => outcome === 'already')) return records;
  await putSet(pool, `${pending.name}.revert`, { members: pending.members, why: 'from here on it is completed' });
  const before = await complete(pool, pending);
  return records.map((record) => ({ ...record, savedAs: before.get(record.volume) ?? null }));
}

async function memberOf(pool: Pool, name: string, number: number): Promise<Member> {
  const volume = await mustExist(pool, await finished(pool, await lookAt(pool, name)));
  refuseOther(volume);
  const revision = volume.revisions.find((one) => one.number === number);
  if (revision !== undefined) return { volume, revision };
  throw new Failure('refused', `there is no revision ${name}@${number} any more`, {
    hint: `reflink-pool show ${name}`,
  });
}

function recordOf({ volume, revision }: Member): RevertRecord {
  const outcome = isTwin(volume, revision) ? 'already' : 'reverted';
  return { ...about('Revert', volume.name), to: revision.number, savedAs: null, outcome, ms: 0 };
}

/** What is written of a set, and why: its members at least. */
type SetContent = Partial<SetFile> & Pick<SetFile, 'members'> & { why: string };

/** A file of a set, written whole and durable. */
export async function putSet(pool: Pool, file: string, { why, ...set }: SetContent): Promise<void> {
  const path = hidden(pool, `sets/${file}`);
  await built(pool, path, async (temp) => {
    await pool.host.change(because(create(temp, `${JSON.stringify(set)}\n`, 0o600), why));
    await pool.host.change(rename(temp, path));
  });
  await pool.host.change(sync(hidden(pool, 'sets')));
}
