import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backing, detach, loops, loopsIn } from './loops.ts';
import { unmountIn } from './mounts.ts';

export interface Folder {
  path: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A lock on a folder that lives as long as our open descriptor; undefined when somebody else has it or the folder is gone. */
function lock(path: string): number | undefined {
  try {
    const fd = openSync(path, 'r');
    if (spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'inherit', fd] }).status === 0) return fd;
    closeSync(fd);
  } catch {
    // gone, or another user's
  }
  return undefined;
}

/**
 * A filesystem fixture writes its device number to `dev` beside its `image`. While a loop is over that very image, the
 * number is that filesystem's, in whichever namespace it is mounted, and the loops over files in it are what a killed
 * test left: they would keep it mounted in the kernel for ever.
 */
async function detachInside(path: string): Promise<void> {
  const filesystem = await readFile(join(path, 'dev'), 'utf8').catch(() => '');
  const image = await backing(join(path, 'image'));
  const attached = filesystem === '' ? [] : await loops();
  if (attached.some((loop) => loop.backing === image)) {
    await detach(attached.filter((loop) => loop.filesystem === filesystem));
  }
}

/** Takes away a folder with the mounts in it and the loops over its files. */
async function release(path: string): Promise<void> {
  await detachInside(path);
  await detach(await loopsIn(path));
  await unmountIn(path);
  await rm(path, { recursive: true, force: true });
}

/** Releases the folders whose owners are dead, and tells which it cannot. A living owner holds the lock, in whichever namespaces it runs. */
export async function sweep(parent = tmpdir()): Promise<void> {
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    const fd = name.startsWith('platter-ground-') ? lock(path) : undefined;
    if (fd === undefined) continue;
    await release(path).catch((error: Error) => process.stderr.write(`could not sweep ${path}: ${error.message}\n`));
    closeSync(fd);
  }
}

let swept: Promise<void> | undefined;

/**
 * An empty folder, removed with the mounts in it and the loops over its files: `await using folder = await tempFolder()`.
 * The first one in a process also releases what killed processes left.
 */
export async function tempFolder(): Promise<Folder> {
  swept ??= sweep();
  await swept;
  const made = await mkdtemp(join(tmpdir(), 'platter-new-'));
  const fd = lock(made);
  if (fd === undefined) throw new Error(`no lock on ${made}`);
  const path = made.replace('platter-new-', 'platter-ground-');
  await rename(made, path);
  const dispose = async () => {
    await release(path);
    closeSync(fd);
  };
  return { path, [Symbol.asyncDispose]: dispose };
}
