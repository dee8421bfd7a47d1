import { chmod, link, remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { factsAbout, living, notesOf, withImage, withName } from './facts.ts';
import { revisionPath, withTwin } from './naming.ts';
import { clonePaused, type Pause, type Still } from './pause.ts';
import type { Pool } from './pool.ts';
import { type Candidate, type Consistency, consistencyOf, type Marks, marked, numberOf } from './snapshotting.ts';
import { complete, further, put, saveHead, takeAway } from './steps.ts';
import { type Image, pathOf, type Volume } from './volume.ts';

/** What a volume held at one moment and the number it will have: the head, or a clone under a temporary name. */
export interface Moment {
  volume: Volume;
  number: number;
  image: Image;
  consistency: Consistency;
}

/** The volumes as they are at one moment, for `work` to name; a clone that is not named in the end goes. */
export async function atOneMoment<T>(
  pool: Pool,
  { candidates, pause }: { candidates: readonly Candidate[]; pause: Pause },
  work: (moments: Moment[], pauseMs: number | null) => Promise<T>,
): Promise<T> {
  const stills = candidates.flatMap((one) => stillOf(pool, one));
  try {
    const pauseMs = stills.length === 0 ? null : await cloneAll(pool, stills, pause);
    const moments: Moment[] = [];
    for (const { volume } of candidates) moments.push(await momentOf(pool, volume, { stills, pause }));
    return await work(moments, pauseMs);
  } catch (error) {
    const temps = stills.map(({ temp }) => temp);
    await takeAway(pool, temps, 'it is not whole');
    throw error;
  }
}

async function momentOf(
  pool: Pool,
  volume: Volume,
  { stills, pause }: { stills: readonly Still[]; pause: Pause },
): Promise<Moment> {
  const still = stills.find(({ work }) => work === volume.work);
  const image = still === undefined ? (volume.head as Image) : await sealed(pool, still);
  return { volume, number: numberOf(volume), image, consistency: consistencyOf(volume, pause.hook !== null) };
}

const stillOf = (pool: Pool, { volume, cost }: Candidate): Still[] =>
  volume.work === null || cost === null
    ? []
    : [{ work: volume.work, temp: pool.temp(pathOf(volume, 'head')), predictedMs: cost.predictedMs }];

/** What the page cache holds is flushed before anybody has to wait: that can take longer than the clones. */
async function cloneAll(pool: Pool, stills: readonly Still[], pause: Pause): Promise<number> {
  for (const { work } of stills) await pool.host.change(because(sync(work.path), 'so that the pause is short'));
  return clonePaused(pool, stills, pause);
}

/** The clone as nobody will write it, which must be as long as the working copy is. */
async function sealed(pool: Pool, { work, temp }: Still): Promise<Image> {
  await pool.host.change(because(chmod(temp, 0o400), 'committed images are written by nobody'));
  await pool.host.change(sync(temp));
  const made = await complete(pool, temp, work);
  return { ...work, ino: 0n, ...made, path: temp, mode: 0o400 };
}

/** What a name needs before it is given: the head has a number (so the name comes after it), and its marks are noted. */
export async function announce(
  pool: Pool,
  { volume, number, image, consistency }: Moment,
  marks: Marks,
): Promise<void> {
  const live = volume.work !== null;
  const saved = live ? withTwin(volume, await saveHead(pool, volume)) : volume;
  const facts = factsAbout(image, { ...marked(notesOf(null), marks), side: live });
  const images = live ? withImage(saved, image, { sha256: null, consistency }) : living(saved).images;
  const why = `what ${volume.name}@${number} is`;
  await put(pool, saved, { revisions: withName(saved, number, facts), images, why });
}

/** Gives the name, durable; from here on the state is a revision. */
export async function give(pool: Pool, { volume, number, image }: Moment): Promise<void> {
  const [path, why] = [revisionPath(volume, number, image), `${volume.name} as it was at this moment`];
  if (volume.work === null) return void (await further(pool, { from: image, to: path, mode: 0o400, why }));
  await pool.host.change(because(link(image.path, path), why));
  await pool.host.change(remove(image.path));
  await pool.host.change(sync(volume.dir));
}
