import { hold } from '@platter/host/looks';
import { mapInto } from '@platter/host/tools/filefrag';
import { about } from './about.ts';
import { xfs } from './filesystem.ts';
import { ImageMap, together } from './image-map.ts';
import type { Pool } from './pool.ts';
import type { UsageRecord } from './records/space.ts';
import type { Image, Volume } from './volume.ts';

/** An image and where it lies; null where files share nothing, so that its blocks say all. */
export interface Weighed {
  image: Image;
  map: ImageMap | null;
}

/** The places of an image, flushed first. */
export async function weigh({ host, settings }: Pool, image: Image): Promise<Weighed> {
  if (settings.backend === 'copy') return { image, map: null };
  const held = await host.query(hold(image.path));
  try {
    return { image, map: await mapInto(host, held, { sink: new ImageMap() }) };
  } finally {
    held.close();
  }
}

/** The images of a volume, each once. */
export function imagesOf({ head, work, prepared, importing, revisions }: Volume): Image[] {
  const all = [head, work, prepared, importing, ...revisions].filter((image) => image !== null);
  return [...new Map(all.map((image) => [image.ino, image])).values()];
}

const total = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

/** Blocks of an image beside what it maps: kept ready for overwriting by XFS, which counts them to the file. */
const beyond = ({ image, map }: Weighed) => (map === null ? 0 : Math.max(0, image.allocated - map.mapped));

/** What an image's only name would free. */
function alone(pool: Pool, weighed: Weighed): number {
  const { image, map } = weighed;
  if (map === null) return image.allocated;
  return map.alone + (pool.space.type === xfs ? beyond(weighed) : 0);
}

/** Bytes that come free when one name goes: none while its image has another. */
export const reclaimable = (pool: Pool, weighed: Weighed): number =>
  weighed.image.nlink > 1 ? 0 : alone(pool, weighed);

/** Bytes that come free when all names of some images go, others of the same volume staying. */
export function freedBy(pool: Pool, goes: readonly Weighed[], stays: readonly Weighed[]): number {
  const maps = (some: readonly Weighed[]) => some.flatMap(({ map }) => (map === null ? [] : [map]));
  if (pool.settings.backend === 'copy') return total(goes.map(({ image }) => image.allocated));
  const ready = pool.space.type === xfs ? total(goes.map(beyond)) : 0;
  return ready + together(maps(stays), maps(goes)).freed;
}

/** What one state of a volume takes. */
export async function usageOfImage(pool: Pool, { name }: Volume, state: { ref: string; image: Image }) {
  const weighed = await weigh(pool, state.image);
  return { ...record(pool, name, [weighed]), ref: state.ref };
}

/** What a volume takes with all its images; reclaimable is what surely comes free when all of it goes. */
export async function usageOfVolume(pool: Pool, volume: Volume): Promise<UsageRecord> {
  const images = imagesOf(volume);
  const all: Weighed[] = [];
  for (const image of images) all.push(await weigh(pool, image));
  const own = all.filter(({ image }) => image.nlink === namesIn(volume, image));
  return { ...record(pool, volume.name, all), reclaimable: total(own.map((one) => alone(pool, one))) };
}

/** How many names of an image are this volume's. */
export const namesIn = ({ head, work, prepared, importing, revisions }: Volume, { ino }: Pick<Image, 'ino'>): number =>
  [head, work, prepared, importing, ...revisions].filter((image) => image?.ino === ino).length;

function record(pool: Pool, name: string, all: readonly Weighed[]): UsageRecord {
  const maps = all.flatMap(({ map }) => (map === null ? [] : [map]));
  const allocated = total(all.map(({ image }) => image.allocated));
  const copies = pool.settings.backend === 'copy';
  return {
    ...about('Usage', name),
    ref: name,
    apparent: total(all.map(({ image }) => image.size)),
    allocated,
    referenced: copies ? allocated : together(maps, []).referenced,
    reclaimable: total(all.map((one) => reclaimable(pool, one))),
    overhead: pool.space.type === xfs && !copies ? total(all.map(beyond)) : null,
    method: copies ? 'blocks' : maps.some(({ opaque }) => opaque) ? 'mixed' : 'extents',
  };
}
