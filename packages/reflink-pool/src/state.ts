import type { Image, Volume } from './volume.ts';

/** What a volume is doing. */
export type State = 'stopped' | 'running' | 'unclean' | 'headless' | 'broken';

/** What is known of the machine: this boot, and whether anybody uses the working copy. */
export interface Now {
  bootId: string;
  held: boolean;
}

type Facts = Pick<Volume, 'head' | 'work' | 'session' | 'file' | 'revisions'>;

/** The state of a volume of any kind; a snapshot that is not written runs while it has its own name of the image. */
export function stateOf({ head, work, session, file, revisions }: Facts, { bootId, held }: Now): State {
  if (work !== null && (held || session?.bootId === bootId)) return 'running';
  if (work !== null) return file.volumeKind === 'saved' && head === null ? 'headless' : 'unclean';
  if (file.volumeKind === 'snapshot') return !file.rw && head !== null ? 'running' : 'stopped';
  return head === null && file.volumeKind === 'saved' && revisions.length > 0 ? 'broken' : 'stopped';
}

const sameBytes = (a: Image, b: Image) => a.size === b.size && a.mtimeNs === b.mtimeNs;

/**
 * Whether the working copy surely still holds the head's bytes: it began with the head's mtime, in this boot. One that
 * was resumed after a restart did not: a power cut can lose the mtime of a write that it kept.
 */
export function isUnchanged({ head, work, session }: Facts, bootId: string): boolean {
  if (head === null || work === null || session === null) return false;
  return sameBytes(head, work) && session.ino === String(work.ino) && session.bootId === bootId && !session.unclean;
}

/** Whether the copy made ahead is still one of the head. */
export const isPrepared = ({ head, prepared }: Pick<Volume, 'head' | 'prepared'>): boolean =>
  head !== null && prepared !== null && sameBytes(head, prepared);
