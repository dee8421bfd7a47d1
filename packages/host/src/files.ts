import {
  constants,
  fsync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs';
import * as fs from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Change, Entry, EntryKind, Query, Space, Stat } from './door.ts';
import { failed, trying } from './failing.ts';
import { errno } from './failure.ts';

type Look<O extends Query['op']> = Query & { op: O };
type Touch<O extends Change['op']> = Change & { op: O };

const absences = ['ENOENT', 'ENOTDIR'];

/**
 * A look whose absence is an answer: null; anything else that fails is "could not tell". Looks are made at once: each
 * takes some microseconds, a trip through the thread pool ten times that, and a list of a pool makes ten thousand.
 */
function maybe<T>(what: string, call: () => T): T | null {
  try {
    return call();
  } catch (error) {
    if (absences.includes(errno(error) ?? '')) return null;
    throw failed(what, error);
  }
}

interface Kinds {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
  isFIFO(): boolean;
}

function kindOf(entry: Kinds): EntryKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'dir';
  if (entry.isSymbolicLink()) return 'link';
  if (entry.isBlockDevice()) return 'block';
  if (entry.isCharacterDevice()) return 'char';
  return entry.isFIFO() ? 'fifo' : 'socket';
}

export function stat({ path, follow }: Look<'stat'>): Stat | null {
  const look = follow ? statSync : lstatSync;
  const found = maybe(`look at ${path}`, () => look(path, { bigint: true }));
  if (found === null) return null;
  const { dev, ino, rdev, mtimeNs, birthtimeNs: birthNs } = found;
  const [mode, nlink, uid, gid] = [found.mode & 0o7777n, found.nlink, found.uid, found.gid].map(Number) as Four;
  const sizes = { size: Number(found.size), allocated: Number(found.blocks) * 512 };
  return { kind: kindOf(found), dev, ino, rdev, ...sizes, mode, nlink, uid, gid, mtimeNs, birthNs };
}
type Four = [number, number, number, number];

export const bytes = ({ path }: Look<'bytes'>) => maybe(`read ${path}`, () => new Uint8Array(readFileSync(path)));
export const text = ({ path }: Look<'text'>) => maybe(`read ${path}`, () => readFileSync(path, 'utf8'));
export const realpath = ({ path }: Look<'realpath'>) => maybe(`resolve ${path}`, () => realpathSync.native(path));
export const readlink = ({ path }: Look<'readlink'>) => maybe(`read the link ${path}`, () => readlinkSync(path));

export function list({ path }: Look<'list'>): Entry[] | null {
  const found = maybe(`list ${path}`, () => readdirSync(path, { withFileTypes: true }));
  if (found === null) return null;
  return inByteOrder(found.map((entry) => ({ name: entry.name, kind: kindOf(entry) })));
}

/** Strings compare by UTF-16 units, which for plain ASCII is the order of bytes. */
function inByteOrder(entries: Entry[]): Entry[] {
  if (entries.every(({ name }) => /^[\0-\x7f]*$/.test(name))) return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

export function space({ path }: Look<'space'>): Space {
  try {
    const { bavail, bsize, blocks, type } = statfsSync(path);
    return { free: bavail * bsize, total: blocks * bsize, type };
  } catch (error) {
    throw failed(`look at the filesystem of ${path}`, error);
  }
}

async function flushed(path: string, flags: number, work: (file: fs.FileHandle) => Promise<void>): Promise<void> {
  const file = await fs.open(path, flags | constants.O_NOFOLLOW);
  try {
    await work(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The mode is set on the open file, past the umask, before a byte is in it. */
async function write({ path, data, mode, exclusive, volatile }: Touch<'write'>): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW } = constants;
  const file = await fs.open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | (exclusive ? O_EXCL : O_TRUNC), mode);
  try {
    if (exclusive) await file.chmod(mode);
    await file.writeFile(data);
    if (!volatile) await file.sync();
  } finally {
    await file.close();
  }
}

async function mkdir({ path, mode }: Touch<'mkdir'>): Promise<void> {
  await fs.mkdir(path, mode);
  await fs.chmod(path, mode);
}

async function remove({ path, dir }: Touch<'remove'>): Promise<void> {
  const gone = dir ? fs.rmdir(path) : fs.unlink(path);
  await gone.catch((error) => {
    if (errno(error) !== 'ENOENT') throw error;
  });
}

async function sync({ path, held }: Touch<'sync'>): Promise<void> {
  if (held === undefined) return flushed(path, constants.O_RDONLY, async () => {});
  await promisify(fsync)(held.fd);
}

type Op = Exclude<Change['op'], 'run' | 'lock' | 'copy' | 'pour' | 'qmp'>;
const touches: { [O in Op]: (change: Touch<O>) => [string, () => Promise<void>] } = {
  write: (c) => [`write ${c.path}`, () => write(c)],
  link: (c) => [`link ${c.from} to ${c.to}`, () => fs.link(c.from, c.to)],
  rename: (c) => [`rename ${c.from} to ${c.to}`, () => fs.rename(c.from, c.to)],
  remove: (c) => [`remove ${c.path}`, () => remove(c)],
  truncate: (c) => [`set the size of ${c.path}`, () => flushed(c.path, constants.O_WRONLY, (f) => f.truncate(c.size))],
  mkdir: (c) => [`make the directory ${c.path}`, () => mkdir(c)],
  chmod: (c) => [`change the mode of ${c.path}`, () => fs.chmod(c.path, c.mode)],
  sync: (c) => [`flush ${c.path}`, () => sync(c)],
};

/** One file operation as it is, its errno as a Failure that says what was tried. */
export async function touch<O extends Op>(change: Touch<O>): Promise<void> {
  const [what, call] = touches[change.op](change);
  await trying(what, call);
}
