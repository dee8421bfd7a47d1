import { Failure } from '@platter/host/failure';
import { formatInstant } from '@platter/units/instant';
import { Invalid } from '@platter/units/invalid';
import type { ImageFacts, RevisionFacts, VolumeFile } from './sidecar.ts';
import type { Image, Revision, Volume } from './volume.ts';

/** What can be noted about a name, without the file it is bound to. */
export type Notes = Omit<RevisionFacts, 'size' | 'mtimeNs'>;

const nothing: Notes = { side: false, label: null, pins: [], expiresAt: null, set: null };

/** Facts about a name of the image; what is not said is empty. */
export const factsAbout = (
  { size, mtimeNs }: Pick<Image, 'size' | 'mtimeNs'>,
  notes: Partial<Notes>,
): RevisionFacts => ({
  size,
  mtimeNs: String(mtimeNs),
  ...nothing,
  ...notes,
});

/** Whether what is noted about a number is about this image. */
export const binds = (facts: RevisionFacts | undefined, { size, mtimeNs }: Pick<Image, 'size' | 'mtimeNs'>): boolean =>
  facts !== undefined && facts.size === size && facts.mtimeNs === String(mtimeNs);

/** What is noted about a revision; nothing about one that is not there yet. */
export function notesOf(revision: Revision | null): Notes {
  const { side, label, pins, expiresAt, set } = revision?.facts ?? nothing;
  return { side, label, pins, expiresAt, set };
}

/** Whether two notes say the same. */
export const sameNotes = (a: Notes, b: Notes): boolean =>
  a.side === b.side &&
  a.label === b.label &&
  a.expiresAt === b.expiresAt &&
  a.set === b.set &&
  a.pins.join('\n') === b.pins.join('\n');

/** Another name for a revision, and until when it is kept. */
export const labelled = (notes: Notes, label: string | null, expiresAt: string | null): Notes => ({
  ...notes,
  label,
  expiresAt,
});

/** One more owner who needs a revision; who already does counts once. */
export const pinned = (notes: Notes, owner: string): Notes => ({
  ...notes,
  pins: notes.pins.includes(owner) ? notes.pins : [...notes.pins, owner],
});

/** An owner needs a revision no more. */
export const released = (notes: Notes, owner: string): Notes => ({
  ...notes,
  pins: notes.pins.filter((one) => one !== owner),
});

/** Only a saved volume has numbered states. */
export function refuseUnnumbered(volume: Volume): Volume {
  if (volume.file.volumeKind === 'saved') return volume;
  throw new Failure('refused', `${volume.name} is a ${volume.file.volumeKind} volume and has no revisions`);
}

/** Refuses a label that another revision of the volume carries. */
export function refuseTaken({ name, revisions }: Volume, label: string | null, own: Revision | null = null): void {
  const taken = label === null ? undefined : revisions.find(({ facts }) => facts?.label === label);
  if (taken === undefined || taken.number === own?.number) return;
  throw new Failure('refused', `${name} already has a revision labelled ${label}: ${name}@${taken.number}`, {
    hint: `another name, or reflink-pool label ${name}@${taken.number} --clear first`,
  });
}

/** The instant `ms` from now, RFC 3339; Invalid past the year 9999. */
export function expiryOf(now: number, ms: number): string {
  if (now + ms < Date.UTC(10_000)) return formatInstant(now + ms);
  throw new Invalid('that is past the year 9999: leave --expires out');
}

/** What a sidecar notes about names and images that are there. */
export function living({ file, revisions, head, work }: Volume): Pick<VolumeFile, 'revisions' | 'images'> {
  const noted = revisions.flatMap(({ number, facts }) => (facts === null ? [] : [[String(number), facts] as const]));
  const inodes = new Set([head, work, ...revisions].map((image) => String(image?.ino)));
  return { revisions: Object.fromEntries(noted), images: file.images.filter(({ ino }) => inodes.has(ino)) };
}

/** The same with one more name, or another fact in its place. */
export const withName = (volume: Volume, number: number, facts: RevisionFacts): VolumeFile['revisions'] => ({
  ...living(volume).revisions,
  [number]: facts,
});

/** The same with one more image. */
export function withImage(
  volume: Volume,
  { ino, size, mtimeNs, birthNs }: Pick<Image, 'ino' | 'size' | 'mtimeNs' | 'birthNs'>,
  known: Pick<ImageFacts, 'sha256' | 'consistency'>,
): VolumeFile['images'] {
  const image = { ino: String(ino), size, mtimeNs: String(mtimeNs), birthNs: String(birthNs), ...known };
  return [...living(volume).images.filter((one) => one.ino !== image.ino), image];
}
