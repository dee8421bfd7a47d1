import { Failure } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { bootId } from '@platter/host/tools/boot';
import { familiesIn } from './families.ts';
import { lookAt } from './family.ts';
import { holdersOf } from './holders.ts';
import { fileOf, isVolume } from './name.ts';
import { near } from './nearest.ts';
import { glancing, hidden, type Pool } from './pool.ts';
import { exists, type Image, type Volume } from './volume.ts';

/** What the machine says beside the volume's own files: this boot, who uses it, and where a snapshot comes from. */
export interface Machine {
  bootId: string;
  /** Who uses the working copy; not looked for where the session already says that it is in use, unless asked. */
  holders: string[];
  /** Who uses the head of a snapshot under this volume's own name. */
  headHolders: string[];
  source: Volume | null;
}

/** Looks around one volume; `always` also looks for holders of a working copy that its session knows. */
export async function around(pool: Pool, volume: Volume, always: boolean): Promise<Machine> {
  const boot = await bootId(pool.host);
  const { work, session, head, file } = volume;
  const ask = work !== null && (always || session?.bootId !== boot);
  const ofHead = file.volumeKind === 'snapshot' && head !== null && work === null;
  return {
    bootId: boot,
    holders: ask ? await holders(pool, work) : [],
    headHolders: ofHead
      ? await holders(pool, head, `${volume.name.slice(0, -volume.base.length)}${fileOf(volume.base, 'head')}`)
      : [],
    source: file.source === null ? null : await lookAt(pool, file.source),
  };
}

/** Who uses an image of the pool, or any other file that is described like one. */
export const holders = (pool: Pool, image: Image, byName?: string): Promise<string[]> =>
  holdersOf(pool.host, { image, pid: pool.call.holder.pid, ...(byName === undefined ? {} : { byName: `/${byName}` }) });

/** Who has an image of the pool open for writing. */
export const writersOf = (pool: Pool, image: Image): Promise<string[]> =>
  holdersOf(pool.host, { image, pid: pool.call.holder.pid, writing: true });

/** The names of all volumes, by their files and by their sidecars, in byte order. */
export async function volumeNames(pool: Pool): Promise<string[]> {
  const stored = ((await pool.host.query(list(hidden(pool, 'volumes')))) ?? [])
    .filter(({ name }) => name.endsWith('.json'))
    .map(({ name }) => name.slice(0, -5).replaceAll('%2F', '/'));
  return [...new Set([...stored.filter(isVolume), ...(await familiesIn(pool.host, pool.path))])].sort();
}

/** The volume, which must be there; the refusal names the nearest ones. */
export async function mustExist(pool: Pool, volume: Volume): Promise<Volume> {
  if (exists(volume) && !volume.file.removing) return volume;
  const names = near(volume.name, await volumeNames(pool));
  const hint = names.length > 0 ? `${names.join(', ')}` : `reflink-pool create ${volume.name} --size 20G`;
  throw new Failure('refused', `there is no volume ${volume.name}`, { hint });
}

/** The words of a verb as volume names; one that ends in `/` means all saved volumes below it. */
export async function spread(pool: Pool, words: readonly string[]): Promise<string[]> {
  const once = glancing(pool);
  const all = words.some((word) => word.endsWith('/')) ? await volumeNames(once) : [];
  const named = await Promise.all(words.map((word) => (word.endsWith('/') ? below(once, word, all) : [word])));
  return [...new Set(named.flat())];
}

async function below(pool: Pool, prefix: string, all: readonly string[]): Promise<string[]> {
  const names = all.filter((name) => name.startsWith(prefix));
  const volumes = await Promise.all(names.map((name) => lookAt(pool, name)));
  const saved = volumes.filter((volume) => exists(volume) && volume.file.volumeKind === 'saved');
  if (saved.length > 0) return saved.map(({ name }) => name);
  throw new Failure('refused', `there is no saved volume below ${prefix}`, { hint: 'reflink-pool list' });
}
