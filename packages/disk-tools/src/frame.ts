import { join } from 'node:path';
import type { Call } from '@platter/command/call';
import { mkdir, remove, removeDir, sync, write } from '@platter/host/changes';
import type { Holder, Host, Lock } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { list, lstat, text } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import { lockOf, type Target, workspaceOf } from './target.ts';

/** Who works on which target; `id` is 16 hex digits of this run alone. */
export interface Frame {
  target: Target;
  holder: Holder;
  id: string;
}

/** The scratch directory of one run: what is built here is nobody's before it is linked to its name. */
export interface Room {
  dir: string;
  out: string;
  /** Scratch. */
  raw: string;
  /** The finished disk, under its final name. */
  result: string;
}

/** The frame of this run. */
export function frameOf(call: Call<unknown>, target: Target): Frame {
  return { target, holder: call.holder, id: Buffer.from(call.random(8)).toString('hex') };
}

function roomAt(dir: string, { name }: Target): Room {
  const out = join(dir, 'out');
  return { dir, out, raw: join(dir, 'raw'), result: join(out, name) };
}

/** What the lock file says: its holder, and the scratch directories that are his or still to be swept. */
interface Line extends Holder {
  workspaces: string[];
}

/**
 * Runs `work` under the target's lock and in a scratch directory that the lock file names beforehand, so that whoever
 * comes after a crash can sweep it. Both are gone afterwards, whatever happens. Failure busy names the lock's holder.
 */
export async function framed<T>(host: Host, frame: Frame, work: (room: Room) => Promise<T>): Promise<T> {
  const room = roomAt(workspaceOf(frame.target, frame.id), frame.target);
  return locked(host, frame, async (undo) => {
    undo.add(`the scratch directory ${room.dir}`, () => clear(host, room));
    await host.change(mkdir(room.dir, 0o700));
    await host.change(mkdir(room.out, 0o700));
    const made = await work(room);
    await clear(host, room);
    return made;
  });
}

/** Sweeps what a crash left beside the target; without a lock file there is nothing. */
export async function tidy(host: Host, target: Target, frame: () => Frame): Promise<void> {
  if ((await host.query(lstat(lockOf(target)))) !== null) await locked(host, frame(), async () => {});
}

async function locked<T>(host: Host, frame: Frame, work: (undo: Undo) => Promise<T>): Promise<T> {
  const litter = workspacesIn(await readLine(host, frame), frame.target);
  const undo = new Undo();
  return undo.guard(async () => {
    const lock = await take(host, frame, litter);
    const unlock = unlocker(host, lock);
    undo.add(`the lock ${lock.path}`, unlock);
    const late = workspacesIn(lock.previous, frame.target).filter((name) => !litter.includes(name));
    if (late.length > 0) await host.change(write(lock.path, lineOf(frame, [...litter, ...late]), 0o600));
    if (!host.dry) await host.change(sync(lock.path));
    for (const name of [...litter, ...late]) await sweep(host, roomAt(join(frame.target.dir, name), frame.target));
    const made = await work(undo);
    await unlock();
    undo.keep();
    return made;
  });
}

const lineFor = ({ target, holder, id }: Frame, litter: readonly string[]): Line => {
  const own = workspaceOf(target, id).slice(target.dir.length).replace(/^\//, '');
  return { ...holder, workspaces: [own, ...litter] };
};
const lineOf = (frame: Frame, litter: readonly string[]) => `${JSON.stringify(lineFor(frame, litter))}\n`;

/** The last holder's line goes over into ours at the very moment we get the lock: nothing recorded is ever forgotten. */
async function take(host: Host, frame: Frame, litter: readonly string[]): Promise<Lock> {
  const path = lockOf(frame.target);
  try {
    return await host.change({ op: 'lock', path, holder: lineFor(frame, litter) });
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    const { details, hint = 'try again later' } = error;
    throw new Failure('busy', `somebody else works on ${frame.target.said}`, { details, hint, cause: error });
  }
}

/** The lock file goes while it is still locked, so that nobody locks a file without a name; once. */
function unlocker(host: Host, lock: Lock): () => Promise<void> {
  let held = true;
  return async () => {
    if (!held) return;
    if (!host.dry) await host.change(remove(lock.path));
    held = false;
    lock.release();
  };
}

async function readLine(host: Host, { target }: Frame): Promise<string> {
  const path = lockOf(target);
  const found = await host.query(lstat(path));
  return found?.kind === 'file' ? ((await host.query(text(path))) ?? '') : '';
}

/** The scratch directories a lock line names, as far as they are names of ours. */
function workspacesIn(line: string, { name }: Target): string[] {
  const prefix = `.${name}.platter-`;
  try {
    const { workspaces } = JSON.parse(line) as { workspaces?: unknown };
    return (Array.isArray(workspaces) ? workspaces : []).filter(
      (one): one is string =>
        typeof one === 'string' && one.startsWith(prefix) && /^[0-9a-f]{16}$/.test(one.slice(prefix.length)),
    );
  } catch {
    return [];
  }
}

/** Removes what a run of ours put into its scratch directory, by name. */
async function clear(host: Host, { dir, out, raw, result }: Room): Promise<void> {
  await host.change(remove(raw));
  await host.change(remove(result));
  await host.change(removeDir(out));
  await host.change(removeDir(dir));
}

/** The same for a crashed run's; anything in it that is not ours stops the sweep before it begins. */
async function sweep(host: Host, room: Room): Promise<void> {
  const inside = await host.query(list(room.dir));
  if (inside === null) return;
  const made = [...inside.map(({ name }) => join(room.dir, name)), ...(await named(host, room.out))];
  const strange = made.find((path) => ![room.raw, room.out, room.result].includes(path));
  if (strange !== undefined)
    throw new Failure('failed', `will not sweep ${room.dir}: it holds ${strange}, which is not ours`, {
      hint: `look what it is, then remove ${room.dir}`,
    });
  await clear(host, room);
}

async function named(host: Host, dir: string): Promise<string[]> {
  return ((await host.query(list(dir))) ?? []).map(({ name }) => join(dir, name));
}

/** Whether a change failed because the name was taken in between. */
export const wasTaken = (error: unknown): boolean => errno(error) === 'EEXIST';
