import { join } from 'node:path';
import { remove, removeDir } from '@platter/host/changes';
import type { Entry, Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, lstat } from '@platter/host/looks';
import { type Target, workspaceOf } from './target.ts';

/** The scratch directory of one run: what is built here is nobody's before it is linked to its name. */
export interface Room {
  dir: string;
  out: string;
  /** Scratch. */
  raw: string;
  /** The finished disk, under its final name. */
  result: string;
}

/** The places in a scratch directory. */
export function roomAt(dir: string, { name }: Target): Room {
  const out = join(dir, 'out');
  return { dir, out, raw: join(dir, 'raw'), result: join(out, name) };
}

/** The scratch directories that a lock line names, as far as they can be ours. */
export function workspacesIn(line: string, target: Target): string[] {
  const prefix = workspaceOf({ ...target, dir: '' }, '');
  const ours = (name: unknown): name is string =>
    typeof name === 'string' && name.startsWith(prefix) && /^[0-9a-f]{16}$/.test(name.slice(prefix.length));
  try {
    const { workspaces } = JSON.parse(line) as { workspaces?: unknown };
    return (Array.isArray(workspaces) ? workspaces : []).filter(ours).map((name) => join(target.dir, name));
  } catch {
    return [];
  }
}

/** Removes what a run of ours put into its scratch directory, by name. */
export async function clear(host: Host, { dir, out, raw, result }: Room): Promise<void> {
  await host.change(remove(raw));
  await host.change(remove(result));
  await host.change(removeDir(out));
  await host.change(removeDir(dir));
}

/** The same for a crashed run's; anything that is not ours stops the sweep before it begins. */
export async function sweep(host: Host, room: Room): Promise<void> {
  const found = await host.query(lstat(room.dir));
  if (found === null) return;
  const strange = found.kind === 'dir' ? await stranger(host, room) : room.dir;
  if (strange !== undefined)
    throw new Failure('failed', `will not sweep ${room.dir}: ${strange} is not ours`, {
      hint: `look what it is, then remove ${room.dir}`,
    });
  await clear(host, room);
}

async function stranger(host: Host, { dir, out, raw, result }: Room): Promise<string | undefined> {
  const ours = new Map([
    [raw, 'file'],
    [out, 'dir'],
    [result, 'file'],
  ]);
  const entries = [...(await inside(host, dir)), ...(await inside(host, out))];
  return entries.find(({ path, kind }) => ours.get(path) !== kind)?.path;
}

async function inside(host: Host, dir: string): Promise<(Entry & { path: string })[]> {
  return ((await host.query(list(dir))) ?? []).map((entry) => ({ ...entry, path: join(dir, entry.name) }));
}
