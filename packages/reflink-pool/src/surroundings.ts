import { list, lstat } from '@platter/host/looks';
import type { Found } from './adopting.ts';
import { lookAt, placeOf } from './family.ts';
import { writersOf } from './machine.ts';
import { mountsInside } from './mounts.ts';
import { fileOf } from './name.ts';
import type { Pool } from './pool.ts';
import type { Image } from './volume.ts';

/** What lies around all families of a pool: mounts inside it, and which volumes have which image as their head. */
export interface Surroundings {
  mounts: string[];
  heads: Map<string, string[]>;
}

const idOf = ({ dev, ino }: Pick<Image, 'dev' | 'ino'>) => `${dev}:${ino}`;

export async function surroundingsOf(pool: Pool, names: readonly string[]): Promise<Surroundings> {
  const heads = new Map<string, string[]>();
  for (const name of names) {
    const [dir, base] = placeOf(pool, name);
    const head = await pool.host.query(lstat(`${dir}/${fileOf(base, 'head')}`));
    if (head?.kind === 'file') heads.set(idOf(head), [...(heads.get(idOf(head)) ?? []), name]);
  }
  return { mounts: await mountsInside(pool.host, pool.path), heads };
}

/** One family with what an adoption must know of it. */
export async function foundAt(pool: Pool, name: string, { mounts, heads }: Surroundings): Promise<Found> {
  const volume = await lookAt(pool, name);
  const { head, dir, base } = volume;
  const entries = (await pool.host.query(list(dir))) ?? [];
  return {
    volume,
    cows: entries.flatMap((entry) => (entry.name.startsWith(`${base}-cow.img`) ? [`${dir}/${entry.name}`] : [])),
    mount: mounts.find((point) => dir === point || dir.startsWith(`${point}/`)),
    writers: head === null ? [] : await writersOf(pool, head),
    other: head === null ? undefined : heads.get(idOf(head))?.find((one) => one !== name),
  };
}
