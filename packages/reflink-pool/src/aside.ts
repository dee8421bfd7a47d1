import { chmod, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { factsAbout, withName } from './facts.ts';
import { nextNumber, revisionPath, withRevision, withTwin } from './naming.ts';
import type { Pool } from './pool.ts';
import type { CommitRecord } from './records/cycle.ts';
import { put, saveHead } from './steps.ts';
import type { Image, Volume } from './volume.ts';

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
  const facts = factsAbout(work, { side: true, label });
  const why = `what ${volume.name}@${number} is`;
  await put(pool, volume, { revisions: withName(volume, number, facts), why });
  const after = withRevision({ ...kept, work: null, session: null }, { image: work, number, facts });
  await pool.host.change(because(rename(work.path, revisionPath(volume, number, work)), 'put aside, not thrown away'));
  await pool.host.change(sync(volume.dir));
  return { told: { outcome: 'saved', savedAs: number }, after };
}
