import { revisionFile } from './name.ts';
import type { Image, Revision, Volume } from './volume.ts';

/** Whether two names are of one image: nothing but device and inode says so. */
export const sameImage = (a: Pick<Image, 'dev' | 'ino'>, b: Pick<Image, 'dev' | 'ino'>): boolean =>
  a.dev === b.dev && a.ino === b.ino;

/** A revision that names the head's image. */
export const isTwin = ({ head }: Pick<Volume, 'head'>, revision: Revision): boolean =>
  head !== null && sameImage(head, revision);

/** A revision that was never the head: a live snapshot, or a working copy put aside. */
export const sideOf = (revision: Revision): boolean => revision.facts?.side === true;

/** `VOL@latest`: the newest that is neither a name of the head nor one that was never the head; else the newest not its name. */
export function latest(volume: Pick<Volume, 'head' | 'revisions'>): Revision | undefined {
  const others = volume.revisions.filter((revision) => !isTwin(volume, revision));
  return others.findLast((revision) => !sideOf(revision)) ?? others.at(-1);
}

/**
 * The number under which the head is saved (N3): the twin above which there are only side revisions; null when it is
 * not. A side revision that became the head by a revert does not count: `latest` and retention would pass it over.
 */
export function savedNumber(volume: Pick<Volume, 'head' | 'revisions'>): number | null {
  for (const revision of volume.revisions.toReversed()) {
    if (sideOf(revision)) continue;
    return isTwin(volume, revision) ? revision.number : null;
  }
  return null;
}

/** The revision under which the head is saved; null when it is not. */
export function twinOf(volume: Volume): Revision | null {
  const number = savedNumber(volume);
  return volume.revisions.findLast((one) => one.number === number && isTwin(volume, one)) ?? null;
}

/** The next number (N4): above all that were ever given, as far as anything on the disk knows. */
export function nextNumber({ file, revisions, intended }: Pick<Volume, 'file' | 'revisions' | 'intended'>): number {
  return 1 + Math.max(file.counter, revisions.at(-1)?.number ?? 0, ...intended);
}

/** Where the revision of that number of an image of the volume lies. */
export const revisionPath = ({ dir, base }: Volume, number: number, { mtimeNs }: Pick<Image, 'mtimeNs'>): string =>
  `${dir}/${revisionFile(base, number, mtimeNs)}`;

/** The volume with one more revision, of the highest number. */
export function withRevision(
  volume: Volume,
  { image, number, facts }: { image: Image } & Pick<Revision, 'number' | 'facts'>,
): Volume {
  const path = revisionPath(volume, number, image);
  const revision: Revision = { ...image, path, number, time: path.slice(path.lastIndexOf('@') + 1), facts };
  return { ...volume, revisions: [...volume.revisions, revision] };
}

/** The volume with the name that SAVE-HEAD gave its head. */
export function withTwin(volume: Volume, number: number | null): Volume {
  if (volume.head === null || number === null || savedNumber(volume) !== null) return volume;
  return withRevision(volume, { image: volume.head, number, facts: null });
}
