import { list, text } from '@platter/host/looks';
import { binds } from './facts.ts';
import { type Found, filesOf, segments } from './files.ts';
import { grouping } from './groups.ts';
import { encoded, type Role } from './name.ts';
import { pendingSets } from './pending.ts';
import { unknownPolicy } from './policy.ts';
import { hidden, type Pool } from './pool.ts';
import { type RevisionFacts, readSession, readVolumeFile, type Session, type VolumeFile } from './sidecar.ts';
import type { Image, Revision, Volume } from './volume.ts';

/** Looks at one volume: a listing, the facts of each of its files, its sidecar and session. */
export async function lookAt(pool: Pool, name: string): Promise<Volume> {
  const [dir, base] = placeOf(pool, name);
  const entries = await segments(pool, name, dir);
  const found = await filesOf(pool, { dir, base, entries });
  const content = await pool.host.query(text(pool.volumeFile(name)));
  const stored = content === null ? null : readVolumeFile(content);
  const file = stored ?? unknown(name, content === null ? await traced(pool, name) : 0);
  const the = (role: Role['role']) => found.files.find((one) => one.role.role === role) ?? null;
  const work = the('work');
  const pending = await pendingSets(pool, name);
  const own = pending.filter(({ kind }) => kind === 'intent').flatMap(({ members }) => members);
  const intended = own.filter(({ volume }) => volume === name).map(({ number }) => number);
  const named = revisionsOf(found.files, file);
  return {
    name,
    dir,
    base,
    file,
    sidecar: content === null ? 'absent' : stored === null ? 'damaged' : 'stored',
    head: the('head'),
    work,
    prepared: the('prepared'),
    importing: the('import'),
    revisions: named.filter(({ number }) => !intended.includes(number)),
    unseen: named.filter(({ number }) => intended.includes(number)),
    temps: [...found.temps, ...(await sidecarTemps(pool, name))],
    strange: found.strange,
    session: work === null ? null : await sessionOf(pool, name, work),
    intended,
    pending,
  };
}

/** The directory a volume's files lie in and the beginning of their names. */
export function placeOf(pool: Pool, name: string): [dir: string, base: string] {
  const at = name.lastIndexOf('/');
  return at < 0 ? [pool.path, name] : [`${pool.path}/${name.slice(0, at)}`, name.slice(at + 1)];
}

const traced = async (pool: Pool, name: string) => (await import('./traces.ts')).tracedNumber(pool, name);

/** What is noted about a volume without a sidecar: nothing that could cause a removal, or give a number twice. */
const unknown = (name: string, counter: number): VolumeFile => ({
  kind: 'VolumeFile',
  format: 1,
  uuid: '',
  name,
  volumeKind: 'saved',
  rw: true,
  source: null,
  size: null,
  policy: unknownPolicy,
  counter,
  import: null,
  removing: false,
  revisions: {},
  images: [],
});

function revisionsOf(files: readonly Found[], file: VolumeFile): Revision[] {
  const named = files.flatMap(({ role, ...image }) =>
    role.role === 'revision' ? [{ ...image, number: role.number, time: role.time }] : [],
  );
  return named
    .map((one) => ({ ...one, facts: factsOf(one, file) }))
    .sort((a, b) => a.number - b.number || (a.time < b.time ? -1 : 1));
}

/** What is noted about a name, only while the file under it is the one that was meant. */
function factsOf(image: Image & { number: number }, file: VolumeFile): RevisionFacts | null {
  const facts = file.revisions[image.number];
  return facts !== undefined && binds(facts, image) ? facts : null;
}

/** By the sidecar that a temporary was to become. */
const byTarget = grouping((name) => /^(.+)~[a-z0-9_]{8}$/.exec(name)?.[1] ?? '');

async function sidecarTemps({ host, path }: Pool, name: string): Promise<string[]> {
  const within = async (dir: string) =>
    byTarget((await host.query(list(dir))) ?? [], `${encoded(name)}.json`).map((entry) => `${dir}/${entry.name}`);
  return [...(await within(hidden({ path }, 'volumes'))), ...(await within(hidden({ path }, 'sessions')))];
}

async function sessionOf(pool: Pool, name: string, work: Image): Promise<Session | null> {
  const content = await pool.host.query(text(pool.sessionFile(name)));
  const session = content === null ? null : readSession(content);
  return session?.ino === String(work.ino) ? session : null;
}
