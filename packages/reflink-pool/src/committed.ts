import { Failure } from '@platter/host/failure';
import { savedNumber } from './naming.ts';
import type { Pool } from './pool.ts';
import { imageOf, type Reference } from './reference.ts';
import type { Image, Volume } from './volume.ts';

/** A committed image, and the number it has: null for a head that has none yet. */
export interface Committed {
  image: Image;
  number: number | null;
}

/** The committed image of a saved volume that a reference means; says so when a working copy holds newer bytes. */
export function committed({ call }: Pick<Pool, 'call'>, volume: Volume, target: Reference['target']): Committed {
  if (volume.file.volumeKind !== 'saved') throw uncommitted(volume);
  const image = imageOf(volume, target);
  if ('number' in image) return { image, number: image.number };
  if (volume.work !== null)
    call.note(`${volume.name} is started: this is its head, without what was written since then`);
  return { image, number: savedNumber(volume) };
}

/** A snapshot shows an image of its source, a volatile volume has none: what they write is in the working copy only. */
function uncommitted({ name, file, work }: Volume): Failure {
  const live = `reflink-pool import NEW ${work?.path} --create --live`;
  const hints = [file.source === null ? [] : [`its source, ${file.source}`], work === null ? [] : [live]].flat();
  return new Failure('refused', `${name} is ${file.volumeKind} and has no committed image of its own`, {
    hint: hints.join('; or ') || `reflink-pool start ${name}, then import its working copy with --live`,
  });
}
