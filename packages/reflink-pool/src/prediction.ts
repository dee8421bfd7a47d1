import type { Host } from '@platter/host/door';
import type { Held } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { extentsOf } from '@platter/host/tools/filefrag';
import { xfsFacts } from '@platter/host/tools/xfs-io';
import { xfs } from './filesystem.ts';
import type { Pool } from './pool.ts';
import type { Image } from './volume.ts';

/** The number of an image's mappings: on XFS at once, elsewhere counted, at most up to `atMost`. */
export async function mappingsOf(
  { host, space }: Pick<Pool, 'host' | 'space'>,
  { path }: Pick<Image, 'path'>,
  atMost?: number,
): Promise<number> {
  const held = await host.query(hold(path));
  try {
    return space.type === xfs ? (await xfsFacts(host, held)).mappings : await counted(host, held, atMost);
  } finally {
    held.close();
  }
}

async function counted(host: Host, held: Held, atMost?: number): Promise<number> {
  const limits = atMost === undefined ? {} : { atMost };
  return (await extentsOf(host, held, limits)).count;
}

/** How long a clone will take, in ms: linear in the mappings; microseconds of this pool, or of the filesystem's kind. */
export function predictedMs({ settings, space }: Pick<Pool, 'settings' | 'space'>, mappings: number): number {
  const { baseUs, usPerMapping } = settings.calibration ?? { baseUs: 0, usPerMapping: space.type === xfs ? 40 : 15 };
  return Math.round(baseUs + usPerMapping * mappings) / 1000;
}

/** What a clone will cost. */
export interface Forecast {
  mappings: number;
  predictedMs: number;
}

/** Foretells the clone of an image; null in a pool that copies. */
export async function forecast(pool: Pool, image: Image): Promise<Forecast | null> {
  if (pool.settings.backend === 'copy') return null;
  const mappings = await mappingsOf(pool, image);
  return { mappings, predictedMs: predictedMs(pool, mappings) };
}

/** The limit of a clone in ms: ten times the prediction, at least a minute. */
export const limitMs = (predicted: number): number => Math.max(60_000, 10 * predicted);

/** How long a clone of an image may take; a copy is given up when it stalls. */
export async function cloneLimit(pool: Pool, image: Image, how: 'reflink' | 'copy'): Promise<{ timeout?: number }> {
  return how === 'copy' ? {} : { timeout: limitMs(predictedMs(pool, await mappingsOf(pool, image))) };
}
