import { basename } from 'node:path';
import type { Call } from '@platter/command/call';
import { mkdir, remove, sync, write } from '@platter/host/changes';
import type { Holder, Host, Lock } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat, text } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import { clear, type Room, roomAt, sweep, workspacesIn } from './room.ts';
import { lockOf, type Target, workspaceOf } from './target.ts';

/** Who works on which target; `id` is 16 hex digits of this run alone. */
export interface Frame {
  target: Target;
  holder: Holder;
  id: string;
}

/** The frame of this run. */
export function frameOf(call: Call<unknown>, target: Target): Frame {
  return { target, holder: call.holder, id: Buffer.from(call.random(8)).toString('hex') };
}

/** What is to be taken back when a step fails, and the scratch directories that are still there. */
interface Debts {
  undo: Undo;
  left: Set<string>;
}

/**
 * Runs `work` under the target's lock and in a scratch directory that the lock file names beforehand, so that whoever
 * comes after a crash can sweep it. Both are gone afterwards, whatever happens. Failure busy names the lock's holder.
 */
export async function framed<T>(host: Host, frame: Frame, work: (room: Room) => Promise<T>): Promise<T> {
  const room = roomAt(workspaceOf(frame.target, frame.id), frame.target);
  return locked(host, frame, async ({ undo, left }) => {
    const leave = async () => {
      await clear(host, room);
      left.delete(room.dir);
    };
    left.add(room.dir);
    undo.add(`the scratch directory ${room.dir}`, leave);
    await host.change(mkdir(room.dir, 0o700));
    await host.change(mkdir(room.out, 0o700));
    const made = await work(room);
    await leave();
    return made;
  });
}

/** Sweeps what a crash left beside the target; without a lock file there is nothing. */
export async function tidy(host: Host, target: Target, frame: () => Frame): Promise<void> {
  if ((await host.query(lstat(lockOf(target)))) !== null) await locked(host, frame(), async () => {});
}

async function locked<T>(host: Host, frame: Frame, work: (debts: Debts) => Promise<T>): Promise<T> {
  const litter = workspacesIn(await readLine(host, frame), frame.target);
  const debts = { undo: new Undo(), left: new Set(litter) };
  return debts.undo.guard(async () => {
    const lock = await take(host, frame, litter);
    const unlock = unlocker(host, lock, debts.left);
    debts.undo.add(`the lock ${lock.path}`, unlock);
    await settle(host, lock, { frame, left: debts.left });
    await sweepAll(host, frame.target, debts.left);
    const made = await work(debts);
    await unlock();
    debts.undo.keep();
    return made;
  });
}

async function readLine(host: Host, { target }: Frame): Promise<string> {
  const path = lockOf(target);
  const found = await host.query(lstat(path));
  return found?.kind === 'file' ? ((await host.query(text(path))) ?? '') : '';
}

/** Its holder, and by name the scratch directories that are his or still to be swept. */
const lineOf = ({ target, holder, id }: Frame, litter: Iterable<string>): Holder & { workspaces: string[] } => ({
  ...holder,
  workspaces: [workspaceOf(target, id), ...litter].map((dir) => basename(dir)),
});

/** What the last line named goes over into ours as we get the lock, so that nothing recorded is ever forgotten. */
async function take(host: Host, frame: Frame, litter: readonly string[]): Promise<Lock> {
  const path = lockOf(frame.target);
  try {
    return await host.change({ op: 'lock', path, holder: lineOf(frame, litter) });
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    const { details, hint = 'try again later' } = error;
    throw new Failure('busy', `somebody else works on ${frame.target.said}`, { details, hint, cause: error });
  }
}

/** Makes the lock line durable, with what somebody wrote there between our look and our lock. */
async function settle(host: Host, lock: Lock, { frame, left }: { frame: Frame; left: Set<string> }): Promise<void> {
  const late = workspacesIn(lock.previous, frame.target).filter((dir) => !left.has(dir));
  for (const dir of late) left.add(dir);
  if (late.length > 0) await host.change(write(lock.path, `${JSON.stringify(lineOf(frame, left))}\n`, 0o600));
  else if (!host.dry) await host.change(sync(lock.path));
}

async function sweepAll(host: Host, target: Target, left: Set<string>): Promise<void> {
  for (const dir of left) {
    await sweep(host, roomAt(dir, target));
    left.delete(dir);
  }
}

/**
 * The lock file goes while it is still locked, so that nobody locks a file without a name; once. It stays, unlocked,
 * as long as something is left that it names.
 */
function unlocker(host: Host, lock: Lock, left: ReadonlySet<string>): () => Promise<void> {
  let held = true;
  return async () => {
    if (!held) return;
    if (!host.dry && left.size === 0) await host.change(remove(lock.path));
    held = false;
    lock.release();
  };
}
