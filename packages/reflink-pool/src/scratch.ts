import { mkdir, remove, removeDir } from '@platter/host/changes';
import { because, type Lock } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { tempOf } from './name.ts';
import type { Pool } from './pool.ts';
import { undone } from './steps.ts';

type Call = Pool['call'];

/** A directory of our own for a while; `file` gives a path in it that goes with it. */
export interface Scratch {
  call: Call;
  file(name: string): string;
}

const stem = '.reflink-pool-probe';
const own = /^\.reflink-pool-probe~[a-z0-9_]{8}$/;

/** Works in a fresh directory inside `dir`, which is taken away whatever happens; one that a killed run left goes first. */
export async function inScratch<T>(call: Call, dir: string, work: (scratch: Scratch) => Promise<T>): Promise<T> {
  const { host } = call;
  await sweep(call, dir);
  const path = tempOf(`${dir}/${stem}`, call.random(8));
  const files = new Set<string>();
  const file = (name: string) => {
    files.add(`${path}/${name}`);
    return `${path}/${name}`;
  };
  let lock: Lock | undefined;
  try {
    await made(call, path);
    lock = await host.change({ op: 'lock', path });
    return await work({ call, file });
  } finally {
    const goes = [...files].map((one) => because(remove(one), 'the probe is over'));
    await undone(call, [...goes, because(removeDir(path), 'the probe is over')]).finally(() => lock?.release());
  }
}

async function made({ host }: Call, path: string): Promise<void> {
  try {
    await host.change(because(mkdir(path, 0o700), 'a place to probe the filesystem'));
  } catch (error) {
    if (errno(error) !== 'EROFS') throw error;
    throw new Failure('refused', `will not probe ${path}: the filesystem is read-only`);
  }
}

/** Directories of runs that were killed: nobody holds their lock. */
async function sweep({ host }: Call, dir: string): Promise<void> {
  for (const { name, kind } of (await host.query(list(dir))) ?? []) {
    if (kind !== 'dir' || !own.test(name)) continue;
    const path = `${dir}/${name}`;
    const lock = await host.change({ op: 'lock', path }).catch(() => null);
    if (lock === null) continue;
    for (const file of (await host.query(list(path))) ?? [])
      await host.change(because(remove(`${path}/${file.name}`), 'left by a crash'));
    await host.change(because(removeDir(path), 'left by a crash'));
    lock.release();
  }
}
