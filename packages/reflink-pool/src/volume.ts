import type { Stat } from '@platter/host/door';
import { fileOf } from './name.ts';
import type { Pending } from './pending.ts';
import type { ImageFacts, RevisionFacts, Session, VolumeFile } from './sidecar.ts';

/** One file of the pool as it was looked at; sizes in bytes. */
export interface Image
  extends Pick<Stat, 'dev' | 'ino' | 'size' | 'allocated' | 'mode' | 'nlink' | 'mtimeNs' | 'birthNs'> {
  path: string;
}

/** A numbered name of an image; `facts` are null when nothing is noted about this very name. */
export interface Revision extends Image {
  number: number;
  /** RFC 3339, from the file's name. */
  time: string;
  facts: RevisionFacts | null;
}

/** A volume as it lies on the disk: its files, what its sidecar says, and what a crash left. */
export interface Volume {
  name: string;
  dir: string;
  base: string;
  file: VolumeFile;
  /** Whether there is a sidecar at all, and whether it can be read. */
  sidecar: 'stored' | 'absent' | 'damaged';
  head: Image | null;
  work: Image | null;
  prepared: Image | null;
  importing: Image | null;
  /** Ascending by number. */
  revisions: Revision[];
  /** Paths of temporaries, swept by the next verb that holds the lock. */
  temps: string[];
  /** Paths at which an image belongs but something else lies. */
  strange: string[];
  /** Valid for the working copy that is there; null when nobody can tell. */
  session: Session | null;
  /** Numbers that a set in progress uses, the revisions that have them already, and all unfinished sets with this volume. */
  intended: number[];
  unseen: Revision[];
  pending: Pending[];
}

/** What is noted about an image, bound by inode, size and mtime. */
export function imageFacts({ file }: Pick<Volume, 'file'>, image: Image): ImageFacts | null {
  const { ino, size, mtimeNs } = image;
  const match = (one: ImageFacts) => one.ino === String(ino) && one.size === size && one.mtimeNs === String(mtimeNs);
  return file.images.find(match) ?? null;
}

/** Whether there is such a volume: an image of its own, a kind that needs none, or an import that will bring one. */
export function exists({ head, work, revisions, importing, sidecar, file }: Volume): boolean {
  if (head !== null || work !== null || revisions.length > 0) return true;
  return sidecar === 'stored' && (file.volumeKind !== 'saved' || (file.import !== null && importing !== null));
}

/** The path of a file of the volume that has a fixed name, whether it is there or not. */
export const pathOf = ({ dir, base }: Pick<Volume, 'dir' | 'base'>, role: 'head' | 'work' | 'prepared' | 'import') =>
  `${dir}/${fileOf(base, role)}`;
