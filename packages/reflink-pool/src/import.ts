import { remove } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { about } from './about.ts';
import { living, withImage } from './facts.ts';
import { checkTaken, imageOf, seal, takeFile } from './intake.ts';
import { locked } from './lock.ts';
import { around, mustExist } from './machine.ts';
import { withTwin } from './naming.ts';
import { historyOff } from './policy.ts';
import type { Pool } from './pool.ts';
import { policyOf, prune } from './prune.ts';
import type { ImportRecord } from './records/cycle.ts';
import { isSame } from './same.ts';
import { linkIn, segmentsOf } from './segments.ts';
import type { IntakeWish, Taken } from './source.ts';
import { built, put, replaceHead, saveHead } from './steps.ts';
import { heldBy } from './stopping.ts';
import { takeStream } from './take-stream.ts';
import { exists, type Image, pathOf, type Volume } from './volume.ts';

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
      checkTaken(taken, wish);
      await seal(pool, temp);
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
  if (await isSame(pool, volume, { image, taken })) {
    await pool.host.change(because(remove(path), 'the head holds these bytes already'));
    await pruned(pool, volume);
    return recordOf(volume.name, { ...told, outcome: 'unchanged' });
  }
  if (sha256 !== null || taken.consistency !== null || volume.sidecar === 'absent')
    await noteImage(pool, volume, { image, taken });
  const savedAs = volume.head === null || historyOff(policyOf(pool, volume)) ? null : await saveHead(pool, volume);
  await become(pool, volume, image);
  const head = { ...image, path: pathOf(volume, 'head') };
  if (volume.head !== null) await pruned(pool, { ...withTwin(volume, savedAs), head, prepared: null });
  return recordOf(volume.name, { ...told, outcome: 'imported', savedAs });
}

async function become(pool: Pool, volume: Volume, image: Image): Promise<void> {
  const why = 'the import is the head now';
  if (volume.head === null) await linkIn(pool, image.path, { to: pathOf(volume, 'head'), dir: volume.dir });
  else await replaceHead(pool, volume, { path: image.path, image, why });
}

type Come = { image: Image; taken: Taken };

/** Notes the digest and how far it can be trusted, and for a new volume that it is one (then with the pool's policy). */
async function noteImage(pool: Pool, volume: Volume, { image, taken }: Come): Promise<void> {
  const { sha256, consistency } = taken;
  const plain = sha256 === null && consistency === null;
  const images = plain ? living(volume).images : withImage(volume, image, { sha256, consistency });
  const policy = exists(volume) ? volume.file.policy : null;
  await put(pool, volume, { images, policy, why: plain ? 'a new volume' : 'what is known of what came in' });
}

/** Retention after an import; that it failed does not undo it. `imagined` is the volume where a dry run cannot look. */
async function pruned(pool: Pool, imagined: Volume): Promise<void> {
  const { lookAt } = await import('./family.ts');
  try {
    await prune(pool, pool.host.dry ? imagined : await lookAt(pool, imagined.name));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    pool.call.warn(`${imagined.name} could not be pruned: ${error.message}`);
  }
}
