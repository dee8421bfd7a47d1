import { remove } from '@platter/host/changes';
import { differ } from '@platter/host/differ';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { hold } from '@platter/host/looks';
import { about } from './about.ts';
import { living, withImage } from './facts.ts';
import { imageOf, seal, takeFile } from './intake.ts';
import { locked } from './lock.ts';
import { around, mustExist } from './machine.ts';
import { historyOff } from './policy.ts';
import type { Pool } from './pool.ts';
import { policyOf, prune } from './prune.ts';
import type { ImportRecord } from './records/cycle.ts';
import { linkIn, segmentsOf } from './segments.ts';
import type { IntakeWish, Taken } from './source.ts';
import { built, put, replaceHead, saveHead } from './steps.ts';
import { heldBy } from './stopping.ts';
import { takeStream } from './take-stream.ts';
import { exists, type Image, imageFacts, pathOf, type Volume } from './volume.ts';

export type ImportWish = IntakeWish & { create: boolean };

/** The record of an import: nothing but what is told. */
export const recordOf = (
  volume: string,
  told: Partial<ImportRecord> & Pick<ImportRecord, 'outcome'>,
): ImportRecord => ({
  ...about('Import', volume),
  token: null,
  path: null,
  size: null,
  sha256: null,
  method: null,
  savedAs: null,
  ...told,
});

/** Makes a file, or stdin when it is `-`, the head of a volume. */
export function importFile(
  pool: Pool,
  { name, file }: { name: string; file: string },
  wish: ImportWish,
): Promise<ImportRecord> {
  return locked(pool, name, async (found) => {
    const volume = await ready(pool, found, wish.create);
    refuseOpen(volume);
    await segmentsOf(pool, volume);
    return built(pool, pathOf(volume, 'import'), async (temp) => {
      const taken =
        file === '-' ? await takeStream(pool, temp, wish) : await takeFile(pool, { path: file, temp }, wish);
      await seal(pool, temp, { taken, wish });
      return adopted(pool, volume, { path: temp, taken });
    });
  });
}

/** The volume to import into: stopped and saved; absent only with --create. */
export async function ready(pool: Pool, volume: Volume, create: boolean): Promise<Volume> {
  if (!create || exists(volume)) await mustExist(pool, volume);
  const { name, file, work } = volume;
  if (exists(volume) && file.volumeKind !== 'saved')
    throw new Failure('refused', `will not import into ${name}: it is ${file.volumeKind} and keeps nothing`);
  if (work === null) return volume;
  const machine = await around(pool, volume, true);
  if (machine.holders.length > 0) throw heldBy(name, 'import into', machine.holders);
  throw new Failure('refused', `will not import into ${name}: it is started`, { hint: `reflink-pool stop ${name}` });
}

/** Refuses to come between an open import and its end. */
export function refuseOpen({ name, file, importing }: Volume): void {
  if (file.import === null || importing === null) return;
  throw new Failure('busy', `will not import into ${name}: another import is open`, {
    details: { token: file.import.token, since: file.import.startedAt },
    hint: `--commit ${file.import.token}, or --abort ${file.import.token}`,
  });
}

type Arrived = { path: string; taken: Taken; token?: string };

/** A complete image under a name of its own becomes the head, unless the head holds the same bytes. */
export async function adopted(pool: Pool, volume: Volume, { path, taken, token }: Arrived): Promise<ImportRecord> {
  const { size, sha256, method } = taken;
  const image = await imageOf(pool, path, size);
  const told = { size, sha256, method, token: token ?? null, path: pathOf(volume, 'head') };
  if (await isSame(pool, volume, { image, sha256 })) {
    await pool.host.change(because(remove(path), 'the head holds these bytes already'));
    await pruned(pool, volume, image);
    return recordOf(volume.name, { ...told, outcome: 'unchanged' });
  }
  if (sha256 !== null || volume.sidecar === 'absent') await noteImage(pool, volume, { image, sha256 });
  const savedAs = volume.head === null || historyOff(policyOf(pool, volume)) ? null : await saveHead(pool, volume);
  await become(pool, volume, image);
  await pruned(pool, volume, image);
  return recordOf(volume.name, { ...told, outcome: 'imported', savedAs });
}

async function become(pool: Pool, volume: Volume, image: Image): Promise<void> {
  const why = 'the import is the head now';
  if (volume.head === null) await linkIn(pool, image.path, { to: pathOf(volume, 'head'), dir: volume.dir });
  else await replaceHead(pool, volume, { path: image.path, image, why });
}

/** Notes the digest, and for a new volume that it is one (then with the pool's policy). */
async function noteImage(
  pool: Pool,
  volume: Volume,
  { image, sha256 }: { image: Image; sha256: string | null },
): Promise<void> {
  const images = sha256 === null ? living(volume).images : withImage(volume, image, { sha256, consistency: null });
  const policy = exists(volume) ? volume.file.policy : null;
  await put(pool, volume, { images, policy, why: sha256 === null ? 'a new volume' : 'the digest of what came in' });
}

async function isSame(
  pool: Pool,
  volume: Volume,
  { image, sha256 }: { image: Image; sha256: string | null },
): Promise<boolean> {
  const { head } = volume;
  if (head === null || head.size !== image.size || pool.host.dry) return false;
  const known = imageFacts(volume, head)?.sha256 ?? null;
  if (known !== null && sha256 !== null) return known === sha256;
  return pool.settings.backend === 'reflink' && sharesAll(pool, head.path, image.path);
}

/** Whether two files are one by their extents; what cannot be compared that way is another. */
async function sharesAll(pool: Pool, a: string, b: string): Promise<boolean> {
  const [from, to] = [await pool.host.query(hold(a)), await pool.host.query(hold(b))];
  try {
    const { ranges } = await differ(pool.host, { from, to }, { method: 'extents', align: 4096 });
    return ranges.length === 0;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  } finally {
    from.close();
    to.close();
  }
}

async function pruned(pool: Pool, volume: Volume, image: Image): Promise<void> {
  if (pool.host.dry || volume.head === null) return;
  const { lookAt } = await import('./family.ts');
  const after = await lookAt(pool, volume.name);
  try {
    await prune(pool, { ...after, head: after.head ?? image });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    pool.call.warn(`${volume.name} could not be pruned: ${error.message}`);
  }
}
