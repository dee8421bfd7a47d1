import { Failure } from '@platter/host/failure';
import { encoded } from './name.ts';
import { type Image, pathOf, type Volume } from './volume.ts';

/** A family of files as it was found, and what lies around it. Paths are the pool's. */
export interface Found {
  volume: Volume;
  /** What an older driver keeps beside an image: `V-cow.img` and the like. */
  cows: string[];
  /** The mount point inside the pool that the family lies below. */
  mount: string | undefined;
  /** Who has the head open for writing. */
  writers: string[];
  /** Another volume whose head is the same image. */
  other: string | undefined;
}

/** What an adoption changes: images that may be written still, and whether there is a sidecar to write. */
export interface Adoption {
  writable: Image[];
  unknown: boolean;
}

/** Decides whether a family can be a saved volume as it lies; the Failure says what is in the way, and the way out. */
export function decideAdopt(found: Found, asSaved: boolean): Adoption {
  const { volume, mount } = found;
  const { name, sidecar } = volume;
  if (sidecar === 'damaged')
    throw new Failure('corrupt', `will not adopt ${name}: its sidecar cannot be read`, {
      details: { by: `.platter/volumes/${encoded(name)}.json` },
      hint: 'mv it aside: labels and pins are lost, data is not',
    });
  if (mount !== undefined)
    throw refusal(name, 'it lies on another mount', {
      by: mount,
      hint: 'umount it: links and renames do not cross it',
    });
  refuseForeign(found);
  refuseLeft(volume);
  if (sidecar !== 'stored' && !asSaved) refuseKind(found);
  const images = [volume.head, ...volume.revisions].filter((image) => image !== null);
  const distinct = [...new Map(images.map((image) => [image.ino, image])).values()];
  return { writable: distinct.filter(({ mode }) => mode !== 0o400), unknown: sidecar !== 'stored' };
}

type Told = { by: string; hint: string };

const refusal = (name: string, why: string, { by, hint }: Told): Failure =>
  new Failure('refused', `will not adopt ${name}: ${why}`, { details: { by }, hint });

/** The path of a file as it is called inside the pool. */
const inside = ({ dir, name, base }: Pick<Volume, 'dir' | 'name' | 'base'>, path: string) =>
  `${name.slice(0, -base.length)}${path.slice(dir.length + 1)}`;

/** What somebody else still has to do with the files. */
function refuseForeign({ volume, cows, writers }: Found): void {
  const { name, work, head } = volume;
  const [cow] = cows;
  if (cow !== undefined)
    throw refusal(name, 'an older driver has not committed it', {
      by: inside(volume, cow),
      hint: 'let the old driver commit it, or delete it',
    });
  const other = volume.strange.find((path) => path === pathOf(volume, 'head') || path === pathOf(volume, 'work'));
  if (other !== undefined)
    throw refusal(name, 'one of its files is no regular file', {
      by: inside(volume, other),
      hint: 'mv it out of the pool',
    });
  if (work !== null && work.nlink !== 1)
    throw refusal(name, 'its working copy has a further name', {
      by: inside(volume, work.path),
      hint: `find that name, and give the working copy a file of its own: find POOL -samefile ${work.path}`,
    });
  if (head !== null && writers.length > 0)
    throw refusal(name, 'its head is being written', {
      by: inside(volume, head.path),
      hint: `stop what writes it: ${writers.join(', ')}`,
    });
  refuseTwice(volume);
}

/** Refuses files without any image among them. */
function refuseLeft({ name, dir, base, head, work, revisions, prepared, importing }: Volume): void {
  const left = prepared ?? importing;
  if (head !== null || work !== null || revisions.length > 0 || left === null) return;
  throw refusal(name, 'there is nothing but what a crash left', {
    by: inside({ name, dir, base }, left.path),
    hint: `delete it, nothing else is left of ${name}`,
  });
}

function refuseTwice(volume: Volume): void {
  const { name, revisions } = volume;
  const twice = revisions.find((one, index) => revisions[index - 1]?.number === one.number);
  if (twice === undefined) return;
  throw refusal(name, `two of its files have number ${twice.number}`, {
    by: inside(volume, twice.path),
    hint: 'mv one of the two out of the pool',
  });
}

/** Refuses what may be of another kind than saved; revisions and a copy made ahead are only ever a saved volume's. */
function refuseKind({ volume, other }: Found): void {
  const { name, head, work, revisions, prepared } = volume;
  if (work === null || revisions.length > 0 || prepared !== null) return;
  if (head === null)
    throw refusal(name, 'which kind is it? there is nothing but a working copy', {
      by: inside(volume, work.path),
      hint: 'adopt --as saved if a stop shall keep it; else stop the VM, remove it, and create it with --kind',
    });
  if (other !== undefined)
    throw refusal(name, `it runs, and its head is also that of ${other}: a snapshot of it`, {
      by: inside(volume, head.path),
      hint: `the head of ${other} too: stop the VM, then create --kind snapshot; or adopt --as saved`,
    });
}
