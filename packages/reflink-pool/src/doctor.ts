import { Failure } from '@platter/host/failure';
import { lookAt } from './family.ts';
import { finding, type Told } from './findings/finding.ts';
import { fragmented, nocowMix } from './findings/layout.ts';
import { deadExports, orphan, unfinishedSets } from './findings/notes.ts';
import { lowSpace, mounts } from './findings/room.ts';
import { idOf, namesByImage, sharedHeads } from './findings/shared.ts';
import { blindSpots } from './findings/sight.ts';
import { ailments } from './findings/states.ts';
import { besides, straysIn } from './findings/strays.ts';
import { around, mustExist, spread, volumeNames } from './machine.ts';
import type { Pool } from './pool.ts';
import type { FindingRecord } from './records/health.ts';
import { exists, type Volume } from './volume.ts';

/** What doctor is asked: only about these volumes (without words: the whole pool), and whether Qubes will use them. */
export interface DoctorWish {
  words: readonly string[];
  forQubes: boolean;
}

/** All that is not as it should be, each with the shell lines that put it right. */
export async function* diagnose(pool: Pool, { words, forQubes }: DoctorWish): AsyncGenerator<FindingRecord> {
  const all = await everyVolume(pool);
  const asked = words.length === 0 ? all : await these(pool, all, words);
  const names = namesByImage(all.filter(exists));
  for (const volume of asked) {
    const sharers = volume.work === null ? [] : (names.get(idOf(volume.work)) ?? []).map(({ path }) => path);
    for (const told of await ofVolume(pool, volume, { all, sharers })) yield finding(volume.name, told);
  }
  for (const told of await ofPool(pool, all, { asked, whole: words.length === 0 })) yield finding(pool.path, told);
  if (!forQubes) return;
  for (const { name, ...told } of sharedHeads(pool, all))
    if (asked.some((volume) => volume.name === name)) yield finding(name, told);
}

/** Every volume that something is there of, be it only a sidecar; one that cannot be looked at is warned about. */
async function everyVolume(pool: Pool): Promise<Volume[]> {
  const volumes: Volume[] = [];
  for (const name of await volumeNames(pool)) {
    try {
      volumes.push(await lookAt(pool, name));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      pool.call.warn(`${name} cannot be looked at: ${error.message}`);
    }
  }
  return volumes;
}

async function these(pool: Pool, all: readonly Volume[], words: readonly string[]): Promise<Volume[]> {
  const names = await spread(pool, words);
  return Promise.all(
    names.map(async (name) => all.find((one) => one.name === name) ?? mustExist(pool, await lookAt(pool, name))),
  );
}

async function ofVolume(
  pool: Pool,
  volume: Volume,
  { all, sharers }: { all: readonly Volume[]; sharers: string[] },
): Promise<Told[]> {
  const machine = await around(pool, volume, false);
  const own = orphan(pool, volume, all);
  return [...own, ...ailments({ pool, volume, machine, sharers }), ...(await fragmented(pool, volume))];
}

async function ofPool(
  pool: Pool,
  all: readonly Volume[],
  { asked, whole }: { asked: readonly Volume[]; whole: boolean },
): Promise<Told[]> {
  const strays = await straysIn(pool);
  const dirs = new Set(asked.map(({ dir }) => dir));
  const near = [
    ...strays.filter(({ path }) => whole || asked.some((volume) => besides(path, volume))),
    ...(await nocowMix(
      pool,
      all.filter(({ dir }) => dirs.has(dir)),
    )),
  ];
  if (!whole) return near;
  const notes = [...(await unfinishedSets(pool)), ...(await deadExports(pool))];
  return [...near, ...notes, ...lowSpace(pool), ...(await mounts(pool)), ...(await blindSpots(pool))];
}
