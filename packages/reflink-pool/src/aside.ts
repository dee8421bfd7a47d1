import { chmod, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { revisionFile } from './name.ts';
import { nextNumber, savedNumber } from './naming.ts';
import type { Pool } from './pool.ts';
import type { CommitRecord } from './records/cycle.ts';
import { put, saveHead } from './steps.ts';
import type { Image, Revision, Volume } from './volume.ts';

/** What a stop did, and the volume after it. */
export interface Result {
  told: Pick<CommitRecord, 'outcome'> & Partial<Pick<CommitRecord, 'savedAs'>>;
  after: Volume;
}

/** What a working copy needs before it may get a name that nobody writes through. */
export async function seal(pool: Pool, { work }: Volume): Promise<Image> {
  const { path } = work as Image;
  await pool.host.change(because(chmod(path, 0o400), 'committed images are written by nobody'));
  await pool.host.change(sync(path));
  return { ...(work as Image), mode: 0o400 };
}

/** The working copy becomes a labelled revision that was never the head. */
export async function putAside(pool: Pool, volume: Volume, label: string): Promise<Result> {
  const work = await seal(pool, volume);
  const saved = await saveHead(pool, volume);
  const kept = withTwin(volume, saved);
  const number = nextNumber(kept);
  const { size, mtimeNs } = work;
  const facts = { size, mtimeNs: String(mtimeNs), side: true, label, pins: [], expiresAt: null, set: null };
  const noted = Object.fromEntries(volume.revisions.flatMap((one) => (one.facts ? [[one.number, one.facts]] : [])));
  await put(pool, volume, { revisions: { ...noted, [number]: facts }, why: `what ${volume.name}@${number} is` });
  const path = `${volume.dir}/${revisionFile(volume.base, number, mtimeNs)}`;
  await pool.host.change(because(rename(work.path, path), 'put aside, not thrown away'));
  await pool.host.change(sync(volume.dir));
  const time = path.slice(path.lastIndexOf('@') + 1);
  const revisions = [...kept.revisions, { ...work, path, number, time, facts }];
  return { told: { outcome: 'saved', savedAs: number }, after: { ...volume, work: null, session: null, revisions } };
}

/** The volume with the name that SAVE-HEAD gave its head. */
export function withTwin(volume: Volume, number: number | null): Volume {
  const { head, dir, base, revisions } = volume;
  if (head === null || number === null || savedNumber(volume) !== null) return volume;
  const path = `${dir}/${revisionFile(base, number, head.mtimeNs)}`;
  const twin: Revision = { ...head, path, number, time: path.slice(path.lastIndexOf('@') + 1), facts: null };
  return { ...volume, revisions: [...revisions, twin] };
}
