import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { list } from '@platter/host/looks';
import { lookAt } from './family.ts';
import { backTo } from './heads.ts';
import { isTwin } from './naming.ts';
import { type Pending, pendingSets } from './pending.ts';
import { hidden, type Pool } from './pool.ts';
import { withAll } from './take.ts';
import type { Revision } from './volume.ts';

/** Finishes what a crash left of a set: what was being made is undone, what was being reverted to is completed. */
export function settleSet(pool: Pool, { name, members }: Pending): Promise<void> {
  return withAll(pool, { volumes: members.map(({ volume }) => volume), wait: 10_000 }, async () => {
    const left = (await pendingSets(pool)).filter((one) => one.name === name);
    for (const pending of left)
      if (pending.kind === 'intent') await undo(pool, pending);
      else await complete(pool, pending);
  });
}

/**
 * The names that were given for the set go, then the intent; nobody has seen either. Any other state that came to have
 * such a number is left alone.
 */
export async function undo(pool: Pool, pending: Pending): Promise<void> {
  for (const { volume: name, number } of pending.members) {
    const volume = await lookAt(pool, name);
    const given = (one: Revision) => one.facts?.set === pending.name || isTwin(volume, one);
    const going = volume.unseen.filter((one) => one.number === number && given(one));
    for (const { path } of going)
      await pool.host.change(because(remove(path), `the set ${pending.name} was not finished`));
    if (going.length > 0) await pool.host.change(sync(volume.dir));
  }
  await drop(pool, pending);
}

/** Every member that is there becomes its volume's head; that it is already is no harm. The numbers of the states before. */
export async function complete(pool: Pool, pending: Pending): Promise<Map<string, number | null>> {
  const before = new Map<string, number | null>();
  for (const { volume: name, number } of pending.members) {
    const volume = await lookAt(pool, name);
    const revision = volume.revisions.find((one) => one.number === number);
    const done = revision === undefined ? null : await backTo(pool, volume, revision);
    before.set(name, done?.savedAs ?? null);
  }
  await drop(pool, pending);
  return before;
}

async function drop(pool: Pool, { name, kind }: Pending): Promise<void> {
  const dir = hidden(pool, 'sets');
  await pool.host.change(because(remove(`${dir}/${name}.${kind}`), 'it is finished'));
  await pool.host.change(sync(dir));
}

/** Temporaries that a crash left among the sets; under `%sets`. */
export async function sweepSets(pool: Pool): Promise<void> {
  const dir = hidden(pool, 'sets');
  for (const { name } of (await pool.host.query(list(dir))) ?? [])
    if (/~[a-z0-9_]{8}$/.test(name)) await pool.host.change(because(remove(`${dir}/${name}`), 'left by a crash'));
}
