import type { Place } from './address.ts';
import type { Point } from './manifest-kinds.ts';
import type { Attachment } from './publish.ts';

/** One disk's state as somebody else captured it: a file, and what that says it is. */
export interface ForeignFile {
  disk: string;
  path: string;
  type: Point['type'];
}

/** A VM's disks at one moment, as somebody else captured them; becomes a set. */
export interface Moment {
  /** The id that set and points keep; null where there is none. */
  id: string | null;
  /** The peer's own name for it. */
  checkpoint: string | null;
  /** When it was, as its peer says. */
  at: string | null;
  /** In the order of their disks' names. */
  files: ForeignFile[];
  attachments: Attachment[];
}

/** The moments of one VM, oldest first, and who captured them. */
export interface History {
  place: Pick<Place, 'namespace' | 'vm'>;
  from: 'files' | 'kubevirt' | 'oadp';
  /** Where its files lie and no link is followed; null of files that a person named. */
  folder: string | null;
  moments: Moment[];
}

/** What the bytes of an import cannot show, by where they come from (spec 3.4). */
export const unproven: Record<History['from'], readonly string[]> = {
  files: ['order', 'completeness', 'content'],
  kubevirt: ['completeness', 'content'],
  oadp: ['content'],
};

/** The files of one disk, oldest first, with the number of their moment. */
export const filesOf = ({ moments }: History, disk: string): (ForeignFile & { moment: number })[] =>
  moments.flatMap(({ files }, moment) =>
    files.filter((file) => file.disk === disk).map((file) => ({ ...file, moment })),
  );

/** The disks of a history, in byte order. */
export const disksIn = ({ moments }: History): string[] =>
  [...new Set(moments.flatMap(({ files }) => files.map(({ disk }) => disk)))].sort();

/** Files of a disk as chains: each begins with a full, but for a first one that stands on what is there. */
export function chainsOf<F extends ForeignFile>(files: readonly F[]): F[][] {
  const chains: F[][] = [];
  for (const file of files) {
    const last = chains.at(-1);
    if (file.type === 'full' || last === undefined) chains.push([file]);
    else last.push(file);
  }
  return chains;
}
