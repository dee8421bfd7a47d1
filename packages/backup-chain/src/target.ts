import { Failure } from '@platter/host/failure';
import { formatSize } from '@platter/units/size';

/** What lies on a device: nothing, something by its name, or what could not be told. */
export type Content = { what: 'nothing' } | { what: 'something'; name: string } | { what: 'unknown'; why: string };

/** What is known about a target before it is opened for writing. */
export interface TargetFacts {
  said: string;
  /** With its symbolic links resolved. */
  path: string;
  kind: 'absent' | 'file' | 'block' | 'dir' | 'char' | 'fifo' | 'socket' | 'link';
  size: number;
  sector: number;
  readOnly: boolean;
  /** The repository, or one of the files to restore, lies on it; of a file: it is one of these, or lies in there. */
  holdsSource: boolean;
  /** A restore of the same point made it whole, and was killed before it took the other name of it away. */
  unfinished: boolean;
}

export interface TargetWish {
  file: boolean;
  delta: boolean;
  keepTail: boolean;
  confirm: string | undefined;
}

interface Notes {
  hint?: string;
  details?: Record<string, string>;
}

const refusal = (said: string, why: string, notes: Notes = {}): Failure =>
  new Failure('refused', `will not write ${said}: ${why}`, notes);

const confirmed = ({ said, path }: TargetFacts, { confirm }: TargetWish): boolean =>
  confirm === said || confirm === path;

const bySize = ({ size }: TargetFacts, needed: number): Notes => ({
  details: { size: `${formatSize(size)}, needed ${formatSize(needed)}` },
});

const within = 'it is a part of what is to be restored from';

function judgeAbsent({ said, path, holdsSource }: TargetFacts, { file }: TargetWish): Failure | null {
  if (path.startsWith('/dev/')) return refusal(said, 'there is no such device');
  if (holdsSource) return refusal(said, within);
  return file ? null : refusal(said, 'it does not exist', { hint: '--file makes a new raw file' });
}

function judgeFile(facts: TargetFacts, wish: TargetWish): Failure | null {
  if (facts.holdsSource) return refusal(facts.said, within);
  if (facts.unfinished && wish.file) return null;
  if (wish.delta && confirmed(facts, wish)) return null;
  return refusal(facts.said, 'it is a file that exists', {
    hint: `a new name and --file, or --delta --confirm=${facts.said}`,
  });
}

function judgeDevice(facts: TargetFacts, wish: TargetWish, needed: number): Failure | null {
  const { said, readOnly, size, sector, holdsSource } = facts;
  if (wish.file) return refusal(said, 'it is a block device, and --file asks for a file');
  if (holdsSource) return refusal(said, 'what is to be restored lies on it');
  if (readOnly) return refusal(said, 'it is read-only', bySize(facts, needed));
  if (size < needed) return refusal(said, 'it is too small', bySize(facts, needed));
  if (wish.keepTail && needed % sector !== 0)
    return refusal(said, `--keep-tail needs a disk of whole sectors of ${sector} bytes`, bySize(facts, needed));
  return null;
}

/** Why a target must not be opened for writing (spec 3.8); null when it may. */
export function judgeTarget(facts: TargetFacts, wish: TargetWish, needed: number): Failure | null {
  if (facts.kind === 'absent') return judgeAbsent(facts, wish);
  if (facts.kind === 'file') return judgeFile(facts, wish);
  if (facts.kind === 'block') return judgeDevice(facts, wish, needed);
  return refusal(facts.said, `it is a ${facts.kind === 'dir' ? 'directory' : facts.kind}`);
}

/** Why a device that we hold must not be overwritten for what is on it; null when it may. */
export function judgeContent(
  facts: TargetFacts,
  wish: TargetWish,
  [content, needed]: readonly [Content, number],
): Failure | null {
  if (confirmed(facts, wish)) return null;
  const hint = `--confirm=${facts.said}`;
  if (content.what === 'something')
    return refusal(facts.said, `it holds ${content.name}`, { hint, ...bySize(facts, needed) });
  if (content.what === 'unknown')
    return refusal(facts.said, 'it could not be told what is on it', { hint, details: { by: content.why } });
  if (facts.size < 2 * needed) return null;
  return refusal(facts.said, 'it is at least twice as large as the disk', { hint, ...bySize(facts, needed) });
}
