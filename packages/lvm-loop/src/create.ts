import { dirname } from 'node:path';
import { create as createFile, link, remove, sync, truncate } from '@platter/host/changes';
import type { Stat } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { lstat, run } from '@platter/host/looks';
import { lastLine, must } from '@platter/host/outcome';
import { replaceWhole } from '@platter/host/whole';
import { formatSize } from '@platter/units/size';
import { roomOf } from './filesystem.ts';
import { lockedSpace } from './locks.ts';
import { creatingPath, newPath, sidecarPath } from './names.ts';
import type { Deed, Session } from './session.ts';
import { type Sidecar, sidecarText } from './sidecar.ts';
import { chunks, type Reserve, reserved, shortage } from './space.ts';
import { make } from './steps.ts';

/** A sidecar and the image it lies beside. */
export interface Beside {
  path: string;
  sidecar: Sidecar;
}

/** Replaces the sidecar of an image: whole or not at all. */
export async function writeSidecar(session: Session, deed: Deed, { path, sidecar }: Beside): Promise<void> {
  const target = sidecarPath(path);
  const data = sidecarText(sidecar);
  if (session.host.dry) return make(session, deed, [{ ...sync(target), shell: `# write ${target}: ${data.trim()}` }]);
  await replaceWhole(session.host, { path: target, temp: newPath(target), data, mode: 0o600 });
  session.deeds.push(deed);
}

/** Makes the empty file an image grows in, under its temporary name; null in a dry run. */
export async function create(session: Session, deed: Deed, path: string): Promise<Stat | null> {
  const temp = creatingPath(path);
  await make(session, deed, [createFile(temp, '', 0o600)]);
  return session.host.dry ? null : session.host.query(lstat(temp));
}

/** Without copy-on-write on btrfs, which would void the promise; only an empty file can be made so. */
export async function uncopied(session: Session, deed: Deed, path: string): Promise<void> {
  const program = run('chattr', ['+C', '--', path], { timeout: 300_000 });
  if (session.host.dry) return make(session, deed, [program]);
  must(program, await session.host.change(program));
}

/** Bytes of a file to allocate from one size to another, where so much must stay free. */
export interface Allocation {
  path: string;
  from: number;
  to: number;
  sparse: boolean;
  reserve: Reserve;
  filesystem: string;
}

/** Takes the blocks of a range piece by piece; the room is looked at before each, under the filesystem's lock. */
export async function allocate(session: Session, deed: Deed, allocation: Allocation): Promise<void> {
  const { path, from, to, sparse } = allocation;
  if (sparse) return make(session, deed, [truncate(path, to)]);
  if (session.host.dry) return make(session, deed, [fallocate(path, from, to - from)]);
  await lockedSpace(session, allocation.filesystem, async () => {
    for (const { offset, length } of chunks(from, to)) {
      await checkRoom(session, { directory: dirname(path), need: length, reserve: allocation.reserve });
      await take(session, path, { offset, length });
    }
  });
  await session.host.change(sync(path));
  session.deeds.push(deed);
}

const fallocate = (path: string, offset: number, length: number) =>
  run('fallocate', ['-o', String(offset), '-l', String(length), '--', path], { timeout: 300_000 });

async function take({ host }: Session, path: string, { offset, length }: { offset: number; length: number }) {
  const program = fallocate(path, offset, length);
  const output = await host.change(program).catch((error) => {
    throw errno(error) === 'ENOSPC' ? full(path, error) : error;
  });
  if (/no space left|quota exceeded/i.test(output.stderr)) throw full(path, new Error(lastLine(output)));
  must(program, output);
}

const full = (path: string, cause: unknown) =>
  new Failure('refused', `could not allocate ${path}: no space left on device`, {
    cause,
    hint: 'free some space, or ask for a smaller size',
  });

/** Refuses what would leave less than the reserve. */
export async function checkRoom(session: Session, { directory, need, reserve }: Need): Promise<void> {
  if (need <= 0) return;
  const room = await roomOf(session.host, directory);
  const short = shortage(room, reserve, BigInt(need));
  if (short <= 0n) return;
  const kept = `${formatSize(Number(reserved(room, reserve)))} must stay free (${reserve.percent} %, at least ${formatSize(reserve.floor)})`;
  const message = `will not allocate ${formatSize(need)} in ${directory}: ${formatSize(Number(room.free))} free, ${kept}`;
  throw new Failure('refused', message, {
    details: { 'short by': formatSize(Number(short)) },
    hint: 'a smaller size, another directory (NAME=SIZE@DIR), or a smaller --reserve',
  });
}
interface Need {
  directory: string;
  need: number;
  reserve: Reserve;
}

/** Gives a complete image its name, which must be free, and takes the one it was made under. */
export async function publish(session: Session, deed: Deed, path: string): Promise<void> {
  const temp = creatingPath(path);
  await make(session, deed, [link(temp, path), remove(temp), sync(dirname(path))]);
}
