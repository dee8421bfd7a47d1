import { basename, dirname } from 'node:path';
import type { Call } from '@platter/command/call';
import { mkdir, remove, removeDir } from '@platter/host/changes';
import type { Host, Lock } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, lstat, realpath, stat, text } from '@platter/host/looks';
import { Undo } from '@platter/host/undo';
import { temporary } from './layout.ts';

/** Something that is made beside its goal, and gets its name when it is whole. */
export interface Making {
  goal: string;
  /** The folder in which it is made. */
  folder: string;
  /** Held while it is made; the words in it say whose the folder is. */
  lock: string;
}

function makingOf(goal: string): Making {
  const folder = `${dirname(goal)}/${temporary}${basename(goal)}`;
  return { goal, folder, lock: `${folder}.lock` };
}

/** The real path of a goal; 3 unless its folder is there, outside the repository. */
export async function goalOf(host: Host, said: string, root: string): Promise<string> {
  const folder = await host.query(realpath(dirname(said)));
  if (folder === null || (await host.query(stat(folder)))?.kind !== 'dir')
    throw new Failure('refused', `will not export to ${said}: there is no folder ${dirname(said)}`);
  const repository = await host.query(realpath(root));
  if (folder === repository || folder.startsWith(`${repository}/`))
    throw new Failure('refused', `will not export to ${said}: it would lie in the repository`);
  return `${folder === '/' ? '' : folder}/${basename(said)}`;
}

function isWord(said: string | null, tool: string): boolean {
  try {
    return said === '' || (JSON.parse(said ?? '') as { tool?: unknown } | null)?.tool === tool;
  } catch {
    return false;
  }
}

/** What an earlier run left is known by the words in its lock; anything else that has these names is not ours. */
async function refuseStrange({ host, holder }: Call<unknown>, { folder, lock }: Making): Promise<void> {
  const held = (await host.query(list(folder))) ?? [];
  const kind = (await host.query(lstat(folder)))?.kind ?? 'dir';
  const ours = isWord(await host.query(text(lock)), holder.tool);
  if (ours && kind === 'dir' && held.every((one) => one.kind === 'file')) return;
  throw new Failure('refused', `${folder} is in the way, and no export left it`);
}

const takeLock = ({ host, holder, flags }: Call<{ wait: number }>, { lock }: Making): Promise<Lock> =>
  host.change({ op: 'lock', path: lock, holder, wait: flags.wait });

/** Takes the folder away with what is in it, the lock last. */
async function clear(host: Host, { folder, lock }: Making): Promise<void> {
  for (const { name } of (await host.query(list(folder))) ?? []) await host.change(remove(`${folder}/${name}`));
  if ((await host.query(lstat(folder))) !== null) await host.change(removeDir(folder));
  await host.change(remove(lock));
}

/** Takes away what an earlier run left beside a goal; 3 when something else is there, 4 while another run works in it. */
export async function sweepBeside(call: Call<{ wait: number }>, goal: string): Promise<void> {
  const making = makingOf(goal);
  const left = [making.folder, making.lock].map((path) => call.host.query(lstat(path)));
  if ((await Promise.all(left)).every((found) => found === null)) return;
  await refuseStrange(call, making);
  const lock = await takeLock(call, making);
  await clear(call.host, making);
  lock.release();
}

/**
 * Gives `work` an empty folder beside the goal, which only we use, and takes it away afterwards with all that is left in
 * it. What an earlier run left is swept first. 3 when the goal is there, 4 while another run makes it.
 */
export async function beside<T>(
  call: Call<{ wait: number }>,
  { goal, mode }: { goal: string; mode: number },
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const { host } = call;
  const making = makingOf(goal);
  await sweepBeside(call, goal);
  if ((await host.query(lstat(goal))) !== null)
    throw new Failure('refused', `will not export to ${goal}: it is there already`, { hint: 'choose a new name' });
  const lock = await takeLock(call, making);
  const undo = new Undo();
  undo.add(`remove ${making.folder}`, () => clear(host, making));
  return undo.guard(async () => {
    await host.change(mkdir(making.folder, mode));
    const done = await work(making.folder);
    await clear(host, making);
    lock.release();
    return done;
  });
}
