import { mkdir, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { lstat, space, text } from '@platter/host/looks';
import { mustBeDirectory } from './filesystem.ts';
import { hidden, type Pool, poolOf } from './pool.ts';
import { probe } from './probe.ts';
import { inScratch } from './scratch.ts';
import { sweepSettings, writeSettings } from './settings.ts';
import { type PoolFile, readPoolFile } from './sidecar.ts';

const folders = ['volumes', 'sessions', 'locks', 'exports', 'sets'];

/** The pool at a directory as it is, or with these settings as it would be founded; Failure refused without a directory. */
export async function poolAt(
  call: Pool['call'],
  path: string,
  settings: PoolFile,
): Promise<{ pool: Pool; there: boolean }> {
  await mustBeDirectory(call.host, path);
  const pool = poolOf(call, { path, settings, space: await call.host.query(space(path)) });
  const known = await existing(pool);
  return { pool: known ?? pool, there: known !== null };
}

/** Makes a directory a pool: folders, a lock, a probe, and pool.json last; says whether somebody else did meanwhile. */
export async function founded(pool: Pool, allowCopy: boolean): Promise<{ pool: Pool; already: boolean }> {
  const { host, holder } = pool.call;
  await folder(host, hidden(pool, '').slice(0, -1));
  for (const name of folders) await folder(host, hidden(pool, name));
  const lock = await host.change({ op: 'lock', path: hidden(pool, 'locks/%pool'), holder });
  try {
    return await settle(pool, allowCopy);
  } finally {
    lock.release();
  }
}

async function existing(pool: Pool): Promise<Pool | null> {
  const path = hidden(pool, 'pool.json');
  const content = await pool.host.query(text(path));
  if (content === null) return null;
  return poolOf(pool.call, { path: pool.path, settings: readPoolFile(path, content), space: pool.space });
}

async function folder(host: Host, path: string): Promise<void> {
  if ((await host.query(lstat(path))) !== null) return;
  try {
    await host.change(mkdir(path, 0o700));
  } catch (error) {
    if (errno(error) === 'EROFS') throw new Failure('refused', `will not make ${path}: the filesystem is read-only`);
    if (errno(error) !== 'EEXIST') throw error;
  }
}

/** Under the lock: sweeps what a crash left, probes, and writes pool.json, which makes it a pool. */
async function settle(pool: Pool, allowCopy: boolean): Promise<{ pool: Pool; already: boolean }> {
  const known = await existing(pool);
  if (known !== null) return { pool: known, already: true };
  await sweepSettings(pool);
  const { reflink, links, because } = await inScratch(pool.call, hidden(pool, '').slice(0, -1), probe);
  if (!links) throw new Failure('unsupported', `${pool.path} lies on a filesystem without hard links`);
  if (because !== null && !allowCopy)
    throw new Failure('unsupported', `${pool.path} cannot share extents between files`, {
      details: { probed: because },
      hint: 'XFS or btrfs; or --allow-copy, where a start copies all bytes',
    });
  const settings = { ...pool.settings, backend: reflink ? ('reflink' as const) : ('copy' as const) };
  await writeSettings(pool, settings, 'now it is a pool');
  await pool.host.change(sync(pool.path));
  return { pool: { ...pool, settings }, already: false };
}
