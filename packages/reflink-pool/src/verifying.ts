import { binds } from './facts.ts';
import { isTwin, sameImage } from './naming.ts';
import type { VerificationRecord } from './records/health.ts';
import type { ImageFacts } from './sidecar.ts';
import { isPrepared } from './state.ts';
import type { Image, Revision, Volume } from './volume.ts';

/** What is wrong with one thing; without problems it is as it should be. `image` is null for a volume as a whole. */
export interface Verdict {
  ref: string;
  image: Image | null;
  problems: string[];
}

const octal = (mode: number) => mode.toString(8).padStart(4, '0');
const when = (wrong: boolean, problem: string) => (wrong ? [problem] : []);

/** What nobody has to read for: the volume as a whole, then each of its committed images. */
export function verifyVolume(volume: Volume): Verdict[] {
  const { name, head, revisions } = volume;
  const named = revisions.map((one) => ({
    ref: `${name}@${one.number}`,
    image: one,
    problems: ofRevision(volume, one),
  }));
  const heads = head === null ? [] : [{ ref: `${name}@head`, image: head, problems: ofImage(volume, head) }];
  return [{ ref: name, image: null, problems: ofWhole(volume) }, ...heads, ...named];
}

function ofImage({ file }: Volume, image: Image): string[] {
  const { mode } = image;
  return [
    ...when(mode !== 0o400, `its mode is ${octal(mode)}, not 0400`),
    ...when(
      file.images.some((facts) => wasWritten(facts, image)),
      'it was written since it was noted',
    ),
  ];
}

/** Whether facts are about this very inode with other bytes. Without a birth noted, one after the last write is another file's. */
function wasWritten({ ino, size, mtimeNs, birthNs }: ImageFacts, image: Image): boolean {
  if (ino !== String(image.ino) || (size === image.size && mtimeNs === String(image.mtimeNs))) return false;
  return birthNs === undefined ? image.birthNs <= BigInt(mtimeNs) : birthNs === String(image.birthNs);
}

function ofRevision(volume: Volume, revision: Revision): string[] {
  const { file, revisions } = volume;
  const { number, path } = revision;
  const twice = revisions.find((one) => one.number === number && one.path !== path);
  const facts = file.revisions[number];
  return [
    ...ofImage(volume, revision),
    ...when(twice !== undefined, `another file has its number: ${twice?.path}`),
    ...when(
      facts !== undefined && !binds(facts, revision),
      'what is noted about it is of other bytes: it was written, or its number was given again',
    ),
  ];
}

function ofWhole(volume: Volume): string[] {
  const { work, prepared, importing, sidecar, file, name, strange } = volume;
  const written = [work, prepared, importing].filter((image) => image !== null);
  return [
    ...when(sidecar === 'damaged', 'its sidecar cannot be read'),
    ...when(file.name !== name, `its sidecar is that of ${file.name}`),
    ...strange.map((path) => `${path} is no regular file`),
    ...written.flatMap((image) => ofWritten(volume, image)),
    ...when(prepared !== null && !isPrepared(volume), 'the copy made ahead is not of the present head'),
  ];
}

/** What may be written has one name, which is no committed one, and is nobody else's business. */
function ofWritten({ head, revisions }: Volume, { path, nlink, mode, ...image }: Image): string[] {
  const committed = [head, ...revisions].find((one) => one !== null && sameImage(one, image));
  return [
    ...when(nlink !== 1, `${path} has ${nlink} names`),
    ...when(committed !== undefined, `${path} is the committed image ${committed?.path}`),
    ...when((mode & 0o077) !== 0, `the mode of ${path} is ${octal(mode)}: others may open it`),
  ];
}

/** One of the names of each committed image, the head's first. */
export function distinctImages({ head, revisions }: Volume): Image[] {
  const others = revisions.filter(
    (one, index) =>
      !(head !== null && isTwin({ head }, one)) && revisions.findIndex((other) => sameImage(one, other)) === index,
  );
  return [...(head === null ? [] : [head]), ...others];
}

/** The record of what was found. */
export const verification = (
  { name, ref, problems }: { name: string; ref: string; problems: string[] },
  checked: VerificationRecord['checked'],
): VerificationRecord => ({
  ...{ apiVersion: 'platter.dev/v1', kind: 'Verification', metadata: { name } },
  ...{ ref, ok: problems.length === 0, checked, problems },
});
