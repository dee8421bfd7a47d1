import { factsAbout, type Notes, notesOf, refuseUnnumbered, sameNotes, withName } from './facts.ts';
import { locked } from './lock.ts';
import { revisionRecord } from './look.ts';
import { mustExist } from './machine.ts';
import { twinOf, withTwin } from './naming.ts';
import type { Pool } from './pool.ts';
import type { RevisionRecord } from './records/look.ts';
import { imageOf, type Reference, revisionOf } from './reference.ts';
import { put, saveHead } from './steps.ts';
import type { Revision, Volume } from './volume.ts';

/** What is to be noted about a revision, given what is; may refuse. The revision is null for a head without a number. */
export type Noting = (notes: Notes, volume: Volume, revision: Revision | null) => Notes;

/** Notes something about a revision (a head gets a number first); what is noted already changes nothing. */
export function note(pool: Pool, { volume: name, target }: Reference, noting: Noting): Promise<RevisionRecord> {
  return locked(pool, name, async (found) => {
    const volume = refuseUnnumbered(await mustExist(pool, found));
    const revision = revisionOf(volume, target) ?? twinOf(volume);
    const image = revision ?? imageOf(volume, target);
    const [before, after] = [notesOf(revision), noting(notesOf(revision), volume, revision)];
    return sameNotes(before, after) ? revisionRecord(volume, image) : noted(pool, { volume, revision, notes: after });
  });
}

interface Noted {
  volume: Volume;
  revision: Revision | null;
  notes: Notes;
}

async function noted(pool: Pool, { volume, revision, notes }: Noted): Promise<RevisionRecord> {
  const saved = revision === null ? withTwin(volume, await saveHead(pool, volume)) : volume;
  const named = revision ?? (twinOf(saved) as Revision);
  const facts = factsAbout(named, notes);
  const why = `what is noted about ${volume.name}@${named.number}`;
  await put(pool, saved, { revisions: withName(saved, named.number, facts), why });
  return revisionRecord(saved, { ...named, facts });
}
