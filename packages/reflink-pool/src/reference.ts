import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import { checkLabel, checkVolume } from './name.ts';
import { latest } from './naming.ts';
import { near } from './nearest.ts';
import type { Image, Revision, Volume } from './volume.ts';

/** Which image of a volume is meant: a number, `head`, `latest`, or a label or set. */
export interface Reference {
  volume: string;
  target: number | string;
}

/** Reads `VOL`, `VOL@N`, `VOL@LABEL`, `VOL@head` or `VOL@latest`; a bare name means `bare`. */
export function parseReference(text: string, bare = 'head'): Reference {
  const at = text.indexOf('@');
  if (at < 0) return { volume: checkVolume(text), target: bare };
  const [volume, target] = [checkVolume(text.slice(0, at)), text.slice(at + 1)];
  if (/^\d+$/.test(target)) return { volume, target: revisionNumber(target) };
  return { volume, target: target === 'head' || target === 'latest' ? target : checkLabel(target) };
}

function revisionNumber(digits: string): number {
  const number = Number(digits);
  if (/^[1-9]/.test(digits) && Number.isSafeInteger(number)) return number;
  throw new Invalid(`"@${digits}" is not a revision: numbers begin at 1 and have no leading zero`);
}

/** The revision a reference means; null for the head. Failure refused when there is none, or two of one number. */
export function revisionOf(volume: Volume, target: Reference['target']): Revision | null {
  if (target === 'head') return null;
  if (target === 'latest') return latestOf(volume);
  const wanted = typeof target === 'number' ? byNumber(volume, target) : byLabel(volume, target);
  if (wanted.length > 1)
    throw new Failure('refused', `${volume.name}@${target} is not one revision: two files carry that number`, {
      details: { files: wanted.map(({ path }) => path).join('\n') },
      hint: 'move one of them out of the pool',
    });
  const [found] = wanted;
  if (found !== undefined) return found;
  throw new Failure('refused', `there is no revision ${volume.name}@${target}`, { hint: offers(volume, target) });
}

/** The committed image a reference means: a revision's, or the head. Failure refused when there is none. */
export function imageOf(volume: Volume, target: Reference['target']): Image | Revision {
  const image = revisionOf(volume, target) ?? volume.head;
  if (image !== null) return image;
  throw new Failure('refused', `${volume.name} has no head`, { hint: `${volume.name}@latest` });
}

const byNumber = ({ revisions }: Volume, number: number) => revisions.filter((one) => one.number === number);

/** A label first, the newest member of a set otherwise. */
function byLabel({ revisions }: Volume, name: string): Revision[] {
  const labelled = revisions.filter(({ facts }) => facts?.label === name);
  const inSet = revisions.filter(({ facts }) => facts?.set === name);
  return labelled.length > 0 ? labelled.slice(-1) : inSet.slice(-1);
}

function latestOf(volume: Volume): Revision | null {
  const found = latest(volume);
  if (found !== undefined) return found;
  throw new Failure('refused', `${volume.name} has no former state`, { hint: `reflink-pool show ${volume.name}` });
}

function offers({ name, revisions }: Volume, target: Reference['target']): string {
  const names = revisions.flatMap(({ number, facts }) => [String(number), ...(facts?.label ? [facts.label] : [])]);
  if (names.length === 0) return `${name}@head is all there is`;
  return near(String(target), names)
    .map((one) => `${name}@${one}`)
    .join(', ');
}
