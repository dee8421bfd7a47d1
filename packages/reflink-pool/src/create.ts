import { chmod, create as make, sync, truncate } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { Invalid } from '@platter/units/invalid';
import { lookAt } from './family.ts';
import { locked } from './lock.ts';
import { mustExist } from './machine.ts';
import { roleOf } from './name.ts';
import type { Pool } from './pool.ts';
import { linkIn, segmentsOf } from './segments.ts';
import { built, put } from './steps.ts';
import { exists, pathOf, type Volume } from './volume.ts';

/** What a new volume shall be. Sizes in bytes; a null policy is the pool's. */
export interface NewVolume {
  kind: 'saved' | 'snapshot' | 'volatile';
  size: number | null;
  source: string | null;
  rw: boolean;
  policy: string | null;
}

/** Refuses what does not go together: exit 2, nothing looked at. */
export function checkNew({ kind, size, source, policy, rw }: NewVolume): void {
  if (kind === 'snapshot' && source === null) throw new Invalid('--kind snapshot needs --source VOL');
  if (kind !== 'snapshot' && source !== null) throw new Invalid('--source belongs to --kind snapshot');
  if (kind === 'snapshot' && size !== null) throw new Invalid('a snapshot is as large as its source: leave out --size');
  if (kind !== 'snapshot' && size === null) throw new Invalid(`a ${kind} volume needs --size`);
  if (kind !== 'saved' && policy !== null) throw new Invalid('--policy belongs to saved volumes: others keep nothing');
  if (kind === 'volatile' && !rw) throw new Invalid('a volatile volume is there to be written: leave out --read-only');
  if (size !== null) checkSize(size);
}

/** A disk's size in bytes: whole sectors, at least one. */
export function checkSize(size: number): number {
  if (size >= 512 && size % 512 === 0) return size;
  throw new Invalid(`a disk of ${size} bytes cannot be: a size is a multiple of 512, at least 512`);
}

/** Makes a volume that must be new; the volume as it is then (what a dry run can tell of it). */
export function create(pool: Pool, name: string, wish: NewVolume): Promise<Volume> {
  return locked(pool, name, async (volume) => {
    await refuseTaken(pool, volume);
    if (wish.source !== null) await checkSource(pool, wish.source);
    await segmentsOf(pool, volume);
    const { kind: volumeKind, size, source, rw, policy } = wish;
    const facts = { volumeKind, source, rw, policy, size: volumeKind === 'volatile' ? size : null };
    const fresh = { ...beginning(pool), ...facts };
    await put(pool, volume, { ...fresh, why: `${name} is a ${volumeKind} volume` });
    if (volumeKind === 'saved') await emptyHead(pool, volume, size ?? 0);
    return pool.host.dry ? { ...volume, file: { ...volume.file, ...fresh } } : lookAt(pool, name);
  });
}

/** What the sidecar of a saved volume says before anything has happened to it. */
export const beginning = ({ call }: Pool) => ({
  ...{ uuid: call.uuid(), volumeKind: 'saved' as const, source: null, size: null, counter: 0 },
  ...{ import: null, removing: false, revisions: {}, images: [] },
});

/** Any file of the family is in the way: what lies there is perhaps somebody's only copy. */
export async function refuseTaken(pool: Pool, volume: Volume): Promise<void> {
  const entries = (await pool.host.query(list(volume.dir))) ?? [];
  const swept = (path: string) => volume.importing?.path !== path && path.includes('~');
  const taken = entries.find(({ name }) => roleOf(volume.base, name) !== null && !swept(`${volume.dir}/${name}`));
  if (taken === undefined && !exists(volume)) return;
  throw new Failure('refused', `will not create ${volume.name}: it is there already`, {
    details: { by: taken === undefined ? pool.volumeFile(volume.name) : `${volume.dir}/${taken.name}` },
    hint: `reflink-pool show ${volume.name}`,
  });
}

async function checkSource(pool: Pool, source: string): Promise<void> {
  const { file } = await mustExist(pool, await lookAt(pool, source));
  if (file.volumeKind === 'saved') return;
  throw new Failure(
    'refused',
    `will not take ${source} as source: it is ${file.volumeKind}, and only a saved volume has a head of its own`,
  );
}

async function emptyHead(pool: Pool, volume: Volume, size: number): Promise<void> {
  const { host } = pool;
  const to = pathOf(volume, 'head');
  await built(pool, to, async (temp) => {
    await host.change(because(make(temp, '', 0o600), 'a disk of zeros'));
    await host.change(truncate(temp, size));
    await host.change(chmod(temp, 0o400));
    await host.change(sync(temp));
    await linkIn(pool, temp, { to, dir: volume.dir });
  });
}
