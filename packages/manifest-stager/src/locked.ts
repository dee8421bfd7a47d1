import { dirname } from 'node:path';
import { mkdir, sync } from '@platter/host/changes';
import { because, type Host, type Lock } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { holderOf } from './holder.ts';
import { type Mode, modes } from './manifest.ts';
import { folderOf, missing, type Place, under } from './place.ts';
import { folder } from './staged.ts';

/** How long to wait for another run, in ms: it holds the folder for a few fsyncs. */
const patience = 10_000;

/**
 * Runs `work` while both folders that exist are locked, staging first; the folder of `make` is made. The directory
 * itself is locked: a lock file would break y-cluster's `rmdir` of the emptied folder. Others may make or remove a
 * folder before we have its lock: then we look again.
 */
export async function locked<T>(
  host: Host,
  place: Place,
  { make, work }: { make: Mode | null; work: () => Promise<T> },
): Promise<T> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (make !== null) await makeFolder(host, place, make);
    const there = await existing(host, place);
    const locks: Lock[] = [];
    try {
      for (const path of there) locks.push(await lock(host, under(place.root, path)));
      if (String(await existing(host, place)) === String(there)) return await work();
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    } finally {
      for (const { release } of locks.reverse()) release();
    }
  }
  throw new Failure('busy', `${place.dir} is being changed by others again and again`, { hint: 'try again' });
}

class Gone extends Error {}

async function existing(host: Host, place: Place): Promise<string[]> {
  const found: string[] = [];
  for (const mode of modes) {
    const path = await folder(host, place, mode);
    if (path !== null) found.push(path);
  }
  return found;
}

async function lock(host: Host, path: string): Promise<Lock> {
  try {
    return await host.change({ op: 'lock', path, wait: patience });
  } catch (error) {
    if (errno(error) === 'ENOENT') throw new Gone();
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    const by = await holderOf(host, path);
    throw new Failure('busy', error.message, { details: by === undefined ? {} : { by }, hint: 'try again later' });
  }
}

/** Makes the folder of a mode with all that is missing on the way to it, each durable in the one around it. */
async function makeFolder(host: Host, place: Place, mode: Mode): Promise<void> {
  for (const step of await missing(host, place.root, folderOf(place, mode))) {
    const path = under(place.root, step);
    try {
      await host.change(because(mkdir(path, 0o755), 'it is not there yet'));
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
    }
    await host.change(sync(dirname(path)));
  }
}
