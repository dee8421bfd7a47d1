import { chmod, remove } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { GiB } from '@platter/units/size';
import { decideAdopt } from './adopting.ts';
import { familiesIn } from './families.ts';
import { lookAt } from './family.ts';
import { founded, poolAt } from './founding.ts';
import { settingsOf } from './init.ts';
import { unknownPolicy } from './policy.ts';
import { hidden, type Pool } from './pool.ts';
import { chosen, refuseEmpty } from './prefixes.ts';
import { put } from './steps.ts';
import { foundAt, type Surroundings, surroundingsOf } from './surroundings.ts';
import { take } from './take.ts';
import type { Image, Volume } from './volume.ts';

/** What the person wants of an adoption. */
export interface AdoptWish {
  /** Names of volumes, or of directories of volumes; none means all. */
  prefixes: readonly string[];
  /** What retention keeps of what is adopted; null is everything. */
  policy: string | null;
  asSaved: boolean;
  allowCopy: boolean;
}

/** How it ended for one family: it is a volume now, or why not. */
type Ended = Adopted | Refused;
interface Adopted {
  name: string;
  volume: Volume;
  outcome: 'adopted' | 'already';
}
export interface Refused {
  name: string;
  failure: Failure;
  volume?: undefined;
}

interface Scene {
  pool: Pool;
  wish: AdoptWish;
  around: Surroundings;
}

/** Makes families of files volumes where they lie; their directory becomes a pool if one of them can be a volume. */
export async function* adopt(
  call: Pool['call'],
  path: string,
  wish: AdoptWish,
): AsyncGenerator<Ended & { pool: Pool; names: readonly string[] }> {
  const { pool, there } = await poolAt(call, path, await settings(call, path));
  const all = await familiesIn(call.host, path);
  const names = await chosen(pool, all, wish.prefixes);
  if (names.length === 0) refuseEmpty(pool, there);
  const scene = { pool, wish, around: await surroundingsOf(pool, all) };
  const hopeless = there ? null : await refusals(scene, names);
  if (hopeless !== null) return yield* hopeless.map((end) => ({ ...end, pool, names }));
  const known = there ? pool : (await founded(pool, wish.allowCopy)).pool;
  const lock = await take(known, { path: hidden(known, 'locks/%pool'), what: path, wait: waitOf(known) });
  try {
    for (const name of names)
      yield { ...(await ending(name, () => adoptOne({ ...scene, pool: known }, name))), pool: known, names };
  } finally {
    lock.release();
  }
}

const waitOf = ({ call }: Pool) => (call.flags as { wait: number }).wait;

/** The settings of a pool that is made of what lies there. Volumes that were noted before follow a policy nobody knows any more. */
async function settings(call: Pool['call'], path: string) {
  const known = settingsOf(call, { reserve: GiB, prepare: 'auto' });
  const stored = (await call.host.query(list(hidden({ path }, 'volumes')))) ?? [];
  return stored.length === 0 ? known : { ...known, policy: unknownPolicy };
}

/** Why none of the families can be a volume; null when one can. */
async function refusals(scene: Scene, names: readonly string[]): Promise<Ended[] | null> {
  const refused: Ended[] = [];
  for (const name of names) {
    const end = await ending(name, async () => ({
      name,
      outcome: 'already',
      volume: (await decided(scene, name)).volume,
    }));
    if (end.volume !== undefined) return null;
    refused.push(end);
  }
  return refused;
}

async function ending(name: string, work: () => Promise<Ended>): Promise<Ended> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure) return { name, failure: error };
    throw error;
  }
}

async function decided({ pool, wish, around }: Scene, name: string) {
  const found = await foundAt(pool, name, around);
  return { volume: found.volume, ...decideAdopt(found, wish.asSaved) };
}

async function adoptOne(scene: Scene, name: string): Promise<Ended> {
  const lock = await take(scene.pool, { path: scene.pool.lockFile(name), what: name, wait: waitOf(scene.pool) });
  try {
    return await adopted(scene, name);
  } finally {
    lock.release();
  }
}

/** Under the volume's lock: modes first, the sidecar last. No image is renamed, copied or removed. */
async function adopted(scene: Scene, name: string): Promise<Ended> {
  const { pool, wish } = scene;
  const { volume, writable, unknown } = await decided(scene, name);
  await sweepOwn(pool, volume);
  for (const image of writable) await close(pool, name, image);
  const policy = wish.policy ?? unknownPolicy;
  if (unknown) await put(pool, volume, { policy, why: `${name} is a saved volume` });
  const outcome = unknown || writable.length > 0 ? 'adopted' : 'already';
  return { name, outcome, volume: pool.host.dry ? volume : await lookAt(pool, name) };
}

/** What a crash left beside the sidecar; temporaries of images are left to the verb that uses the volume next. */
async function sweepOwn(pool: Pool, { temps }: Volume): Promise<void> {
  for (const path of temps.filter((one) => one.startsWith(hidden(pool, ''))))
    await pool.host.change(because(remove(path), 'left by a crash'));
}

async function close(pool: Pool, name: string, { path }: Image): Promise<void> {
  try {
    await pool.host.change(because(chmod(path, 0o400), 'committed images are written by nobody'));
  } catch (error) {
    if (errno(error) !== 'EPERM') throw error;
    throw new Failure('refused', `will not adopt ${name}: the file belongs to another user`, {
      details: { by: path },
      hint: 'run it as that user, as root, or with CAP_FOWNER',
    });
  }
}
