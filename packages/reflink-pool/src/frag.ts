import { about } from './about.ts';
import { xfs } from './filesystem.ts';
import type { Pool } from './pool.ts';
import { mappingsOf, predictedMs } from './prediction.ts';
import type { FragRecord } from './records/space.ts';
import type { Image, Volume } from './volume.ts';

/** A clone of so long is felt at every start. */
const slowMs = 1000;
/** Below so many bytes for each mapping a full copy is no slower than a clone. */
const smallMean = { xfs: 25 * 1024, other: 5 * 1024 };
/** So many mappings flatten itself may leave. */
export const flat = 4;

/** The pieces of the head and of the working copy, as far as they are there. */
export async function fragsOf(pool: Pool, volume: Volume): Promise<FragRecord[]> {
  const states = [
    { ref: `${volume.name}@head`, image: volume.head },
    { ref: volume.name, image: volume.work },
  ];
  const records: FragRecord[] = [];
  for (const { ref, image } of states) if (image !== null) records.push(await fragOf(pool, volume, { ref, image }));
  return records;
}

/** How an image lies, and what a clone of it will cost. */
export async function fragOf(pool: Pool, { name }: Volume, { ref, image }: { ref: string; image: Image }) {
  const mappings = await mappingsOf(pool, image);
  const meanBytes = mappings === 0 ? 0 : Math.round(image.allocated / mappings);
  const copies = pool.settings.backend === 'copy';
  const predicted = copies ? null : predictedMs(pool, mappings);
  const calibrated = pool.settings.calibration !== null;
  const advice = predicted === null ? null : adviceOn({ mappings, meanBytes, predicted, type: pool.space.type });
  const facts = { ref, path: image.path, mappings, meanBytes, predictedMs: predicted, calibrated, advice };
  return { ...about('Frag', name), ...facts } satisfies FragRecord;
}

interface Lying {
  mappings: number;
  meanBytes: number;
  predicted: number;
  /** statfs(2) magic of the filesystem. */
  type: number;
}

/** Whether flattening is worth it: a clone takes more than a second, or a copy is no slower. */
export function adviceOn({ mappings, meanBytes, predicted, type }: Lying): 'flatten' | null {
  if (mappings <= flat) return null;
  return predicted > slowMs || meanBytes < smallMean[type === xfs ? 'xfs' : 'other'] ? 'flatten' : null;
}
