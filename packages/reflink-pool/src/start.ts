import { chmod, remove, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { lstat } from '@platter/host/looks';
import { about } from './about.ts';
import { locked } from './lock.ts';
import { around, type Machine, mustExist } from './machine.ts';
import type { Pool } from './pool.ts';
import { type Forecast, forecast, limitMs } from './prediction.ts';
import type { SessionRecord } from './records/cycle.ts';
import { segmentsOf } from './segments.ts';
import { type Noted, note } from './session.ts';
import { sparse } from './sparse.ts';
import { decideStart, type Start, type StartWish } from './starting.ts';
import { clone, further } from './steps.ts';
import { stopped } from './stop.ts';
import { stopwatch } from './stopwatch.ts';
import { type Image, pathOf, type Volume } from './volume.ts';

type Told = Partial<Pick<SessionRecord, 'outcome' | 'method' | 'unclean' | 'mappings' | 'predictedMs'>> & {
  path: string;
};
type Scene = { pool: Pool; volume: Volume; machine: Machine; cost: Forecast | null };

/** Starts one volume under its lock: the record of the session that is there now. */
export const start = (pool: Pool, name: string, wish: StartWish): Promise<SessionRecord> =>
  locked(pool, name, async (found) => started(pool, await mustExist(pool, found), wish));

async function started(pool: Pool, volume: Volume, wish: StartWish): Promise<SessionRecord> {
  const machine = await around(pool, volume, false);
  const decision = decideStart(volume, machine, wish);
  if (decision.does === 'settle') return settled(pool, { volume, machine, how: decision.how, wish });
  const cost = await costOf(pool, decision, machine.source?.head ?? volume.head);
  const ms = stopwatch();
  const told = await perform({ pool, volume, machine, cost }, decision);
  const record = { outcome: 'started' as const, unclean: false, mappings: null, predictedMs: null, ...told };
  return { ...about('Session', volume.name), method: 'none', ...record, ms: ms() };
}

async function settled(
  pool: Pool,
  { volume, machine, how, wish }: { volume: Volume; machine: Machine; how: 'commit' | 'discard'; wish: StartWish },
): Promise<SessionRecord> {
  const ended = await stopped(pool, { volume, machine }, { discard: how === 'discard', confirmed: true, always: true });
  return started(pool, ended.after, wish);
}

/** What a clone will cost, looked at before the first change; null where nothing is cloned. */
async function costOf(pool: Pool, { does }: Start, image: Image | null): Promise<Forecast | null> {
  return ['clone', 'overlay', 'prepare'].includes(does) && image !== null ? forecast(pool, image) : null;
}

const limitOf = (cost: Forecast | null) => (cost === null ? {} : { timeout: limitMs(cost.predictedMs) });

function perform(scene: Scene, decision: Start): Promise<Told> {
  switch (decision.does) {
    case 'nothing':
      return Promise.resolve(served(scene, decision));
    case 'resume':
      return resume(scene);
    case 'rename':
      return renamePrepared(scene);
    case 'clone':
      return cloneHead(scene, scene.volume.head as Image);
    case 'prepare':
      return prepareHead(scene);
    case 'link':
      return linkSource(scene);
    case 'overlay':
      return overlay(scene);
    case 'sparse':
      return sparse(scene.pool, scene.volume, scene.machine.bootId);
    case 'settle':
      throw new Error('settled before');
  }
}

/** What is there already, as its session tells it. */
const served = ({ volume }: Scene, { path, outcome }: Start & { does: 'nothing' }): Told => ({
  path,
  outcome,
  unclean: volume.session?.unclean ?? false,
});

async function resume({ pool, volume, machine }: Scene): Promise<Told> {
  const work = volume.work as Image;
  await pool.host.change(because(chmod(work.path, 0o600), 'a stop may have been interrupted'));
  await note(pool, volume, { of: work, bootId: machine.bootId, unclean: true });
  return { path: work.path, outcome: 'resumed', unclean: true };
}

async function renamePrepared({ pool, volume, machine }: Scene): Promise<Told> {
  const [prepared, path] = [volume.prepared as Image, pathOf(volume, 'work')];
  await note(pool, volume, { of: prepared, bootId: machine.bootId, unclean: false });
  await pool.host.change(because(rename(prepared.path, path), 'the copy made ahead is of the present head'));
  await pool.host.change(sync(volume.dir));
  return { path, method: 'prepared' };
}

/** A stale copy made ahead goes; then CLONE, whose note is written before the working copy has its name. */
async function cloneHead({ pool, volume, machine, cost }: Scene, from: Image): Promise<Told> {
  const path = pathOf(volume, 'work');
  await dropPrepared(pool, volume);
  const named = (of: Noted) => note(pool, volume, { of, bootId: machine.bootId, unclean: false });
  await clone(pool, {
    from,
    to: path,
    mode: 0o600,
    why: `the working copy of ${volume.name}`,
    named,
    ...limitOf(cost),
  });
  return { path, method: pool.settings.backend, ...cost };
}

async function dropPrepared(pool: Pool, { prepared }: Volume): Promise<void> {
  if (prepared !== null) await pool.host.change(because(remove(prepared.path), 'it is not of the present head'));
}

/** Makes the copy for the next start. */
async function prepareHead({ pool, volume, cost }: Scene): Promise<Told> {
  const to = pathOf(volume, 'prepared');
  await dropPrepared(pool, volume);
  await clone(pool, { from: volume.head as Image, to, mode: 0o600, why: 'for the next start', ...limitOf(cost) });
  return { path: to, outcome: 'prepared', method: pool.settings.backend, ...cost };
}

async function linkSource({ pool, volume, machine }: Scene): Promise<Told> {
  const [from, to] = [machine.source?.head as Image, pathOf(volume, 'head')];
  await segmentsOf(pool, volume);
  for (const old of [volume.work, volume.head])
    if (old !== null) await pool.host.change(because(remove(old.path), 'made anew at each start'));
  const method = await further(pool, { from, to, mode: 0o400, why: `as ${volume.file.source} is now` });
  return { path: to, method };
}

/** The source is not locked: a commit that crosses makes it another image than the one that was looked at. */
async function overlay(scene: Scene): Promise<Told> {
  const { path } = await linkSource(scene);
  const known = scene.machine.source?.head as Image;
  const linked = scene.pool.host.dry ? null : await scene.pool.host.query(lstat(path));
  return cloneHead(scene, { ...known, ...linked, path });
}
