import type { Entry, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, lstat, text } from '@platter/host/looks';
import { encoded, fileOf, type Role, roleOf } from './name.ts';
import { type Pending, pendingSets } from './pending.ts';
import { unknownPolicy } from './policy.ts';
import { hidden, type Pool } from './pool.ts';
import type { VolumeFile } from './sidecar.ts';
import { type ImageFacts, type RevisionFacts, readSession, readVolumeFile, type Session } from './sidecar.ts';

/** One file of the pool as it was looked at; sizes in bytes. */
export interface Image
  extends Pick<Stat, 'dev' | 'ino' | 'size' | 'allocated' | 'mode' | 'nlink' | 'mtimeNs' | 'birthNs'> {
  path: string;
}

/** A numbered name of an image; `facts` are null when nothing is noted about this very name. */
export interface Revision extends Image {
  number: number;
  /** RFC 3339, from the file's name. */
  time: string;
  facts: RevisionFacts | null;
}

/** A volume as it lies on the disk: its files, what its sidecar says, and what a crash left. */
export interface Volume {
  name: string;
  dir: string;
  base: string;
  file: VolumeFile;
  /** Whether there is a sidecar at all, and whether it can be read. */
  sidecar: 'stored' | 'absent' | 'damaged';
  head: Image | null;
  work: Image | null;
  prepared: Image | null;
  importing: Image | null;
  /** Ascending by number. */
  revisions: Revision[];
  /** Paths of temporaries, swept by the next verb that holds the lock. */
  temps: string[];
  /** Paths at which an image belongs but something else lies. */
  strange: string[];
  /** Valid for the working copy that is there; null when nobody can tell. */
  session: Session | null;
  /** Numbers that a set in progress uses, the revisions that have them already, and all unfinished sets with this volume. */
  intended: number[];
  unseen: Revision[];
  pending: Pending[];
}

type Found = Image & { role: Role };

/** Looks at one volume: a listing, the facts of each of its files, its sidecar and session. */
export async function lookAt(pool: Pool, name: string): Promise<Volume> {
  const [dir, base] = placeOf(pool, name);
  const entries = await segments(pool, name, dir);
  const found = await filesOf(pool, { dir, base, entries });
  const content = await pool.host.query(text(pool.volumeFile(name)));
  const stored = content === null ? null : readVolumeFile(content);
  const file = stored ?? unknown(name);
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

/** What is noted about a volume without a sidecar: nothing that could cause a removal. */
const unknown = (name: string): VolumeFile => ({
  kind: 'VolumeFile',
  format: 1,
  uuid: '',
  name,
  volumeKind: 'saved',
  rw: true,
  source: null,
  size: null,
  policy: unknownPolicy,
  counter: 0,
  import: null,
  removing: false,
  revisions: {},
  images: [],
});

/** The listing of a volume's directory; null when it is not there. No symlink on the way is followed. */
async function segments(pool: Pool, name: string, dir: string): Promise<Entry[]> {
  const parts = name.split('/').slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const path = `${pool.path}/${parts.slice(0, depth).join('/')}`;
    const found = await pool.host.query(lstat(path));
    if (found === null) return [];
    if (found.kind !== 'dir')
      throw new Failure('refused', `${path} is not a directory of the pool`, { details: { is: found.kind } });
  }
  return (await pool.host.query(list(dir))) ?? [];
}

interface Place {
  dir: string;
  base: string;
  entries: readonly Entry[];
}

/** The files of one family; entries that vanish meanwhile are left out, a file of another filesystem is refused. */
async function filesOf(pool: Pool, { dir, base, entries }: Place) {
  const named = entries.flatMap((entry) => {
    const role = roleOf(base, entry.name);
    return role === null ? [] : [{ ...entry, role, path: `${dir}/${entry.name}` }];
  });
  const regular = named.filter(({ kind, role }) => kind === 'file' && role.role !== 'temp');
  const files = await Promise.all(regular.map(async ({ path, role }) => imageAt(pool, path, role)));
  const present = files.filter((file) => file !== null);
  const own = new Set(present.map(({ dev }) => dev));
  const others = named.filter(({ kind, role }) => kind !== 'file' && role.role !== 'revision' && role.role !== 'temp');
  if (own.size > 1) throw new Failure('refused', `${dir}/${base}: the files of this volume lie on two filesystems`);
  return {
    files: present,
    temps: named.filter(({ role, kind }) => role.role === 'temp' && kind === 'file').map(({ path }) => path),
    strange: others.map(({ path }) => path),
  };
}

async function imageAt({ host }: Pool, path: string, role: Role): Promise<Found | null> {
  const stat = await host.query(lstat(path));
  if (stat === null) return null;
  const { dev, ino, size, allocated, mode, nlink, mtimeNs, birthNs } = stat;
  return { path, role, dev, ino, size, allocated, mode, nlink, mtimeNs, birthNs };
}

function revisionsOf(files: readonly Found[], file: VolumeFile): Revision[] {
  const named = files.flatMap(({ role, ...image }) =>
    role.role === 'revision' ? [{ ...image, number: role.number, time: role.time }] : [],
  );
  return named
    .map((one) => ({ ...one, facts: factsOf(one, file) }))
    .sort((a, b) => a.number - b.number || (a.time < b.time ? -1 : 1));
}

/** What is noted about a name, only while the file under it is the one that was meant. */
function factsOf({ number, size, mtimeNs }: Image & { number: number }, file: VolumeFile): RevisionFacts | null {
  const facts = file.revisions[number];
  return facts !== undefined && facts.size === size && facts.mtimeNs === String(mtimeNs) ? facts : null;
}

/** What is noted about an image, bound by inode, size and mtime. */
export function imageFacts({ file }: Pick<Volume, 'file'>, image: Image): ImageFacts | null {
  const { ino, size, mtimeNs } = image;
  const match = (one: ImageFacts) => one.ino === String(ino) && one.size === size && one.mtimeNs === String(mtimeNs);
  return file.images.find(match) ?? null;
}

async function sidecarTemps(pool: Pool, name: string): Promise<string[]> {
  const temp = new RegExp(`^${encoded(name).replaceAll('.', '\\.')}\\.json~[a-z0-9_]{8}$`);
  const within = async (dir: string) =>
    ((await pool.host.query(list(dir))) ?? [])
      .filter((entry) => temp.test(entry.name))
      .map((one) => `${dir}/${one.name}`);
  return [...(await within(hidden(pool, 'volumes'))), ...(await within(hidden(pool, 'sessions')))];
}

async function sessionOf(pool: Pool, name: string, work: Image): Promise<Session | null> {
  const content = await pool.host.query(text(pool.sessionFile(name)));
  const session = content === null ? null : readSession(content);
  return session?.ino === String(work.ino) ? session : null;
}

/** Whether there is such a volume: an image of its own, a kind that needs none, or an import that will bring one. */
export function exists({ head, work, revisions, importing, sidecar, file }: Volume): boolean {
  if (head !== null || work !== null || revisions.length > 0) return true;
  return sidecar === 'stored' && (file.volumeKind !== 'saved' || (file.import !== null && importing !== null));
}

/** The path of a file of the volume that has a fixed name, whether it is there or not. */
export const pathOf = ({ dir, base }: Pick<Volume, 'dir' | 'base'>, role: 'head' | 'work' | 'prepared' | 'import') =>
  `${dir}/${fileOf(base, role)}`;
