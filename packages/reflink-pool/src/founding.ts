import { dirname } from 'node:path';
import { create, link, mkdir, reflink, remove, rename, sync } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { bytes, list, lstat, space, text } from '@platter/host/looks';
import { hidden, type Pool, poolOf } from './pool.ts';
import { type PoolFile, readPoolFile } from './sidecar.ts';
import { built, takeAway } from './steps.ts';

const folders = ['volumes', 'sessions', 'locks', 'exports', 'sets'];

/** The pool at a directory as it is, or with these settings as it would be founded; Failure refused without a directory. */
export async function poolAt(
  call: Pool['call'],
  path: string,
  settings: PoolFile,
): Promise<{ pool: Pool; there: boolean }> {
  await directory(call.host, path);
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

async function directory(host: Host, path: string): Promise<void> {
  const found = await host.query(lstat(path));
  if (found === null) throw new Failure('refused', `there is no directory ${path}`, { hint: `mkdir ${path}` });
  if (found.kind !== 'dir') throw new Failure('refused', `${path} is not a directory`, { details: { is: found.kind } });
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
  await sweep(pool);
  const reason = await probe(pool);
  if (reason !== null && !allowCopy)
    throw new Failure('unsupported', `${pool.path} cannot share extents between files`, {
      details: { probed: reason },
      hint: 'XFS or btrfs; or --allow-copy, where a start copies all bytes',
    });
  const settings = { ...pool.settings, backend: reason === null ? ('reflink' as const) : ('copy' as const) };
  await writeSettings(pool, settings);
  return { pool: { ...pool, settings }, already: false };
}

async function writeSettings({ host, temp, ...pool }: Pool, settings: PoolFile): Promise<void> {
  const path = hidden(pool, 'pool.json');
  const content = `${JSON.stringify({ apiVersion: 'platter.dev/v1', ...settings })}\n`;
  await built({ host, temp, ...pool }, path, async (draft) => {
    await host.change(create(draft, content, 0o600));
    await host.change(because(rename(draft, path), 'now it is a pool'));
  });
  await host.change(sync(dirname(path)));
  await host.change(sync(pool.path));
}

async function sweep(pool: Pool): Promise<void> {
  const dir = hidden(pool, '').slice(0, -1);
  for (const { name } of (await pool.host.query(list(dir))) ?? [])
    if (/^(pool\.json|probe(-clone|-link)?)~[a-z0-9_]{8}$/.test(name))
      await pool.host.change(because(remove(`${dir}/${name}`), 'left by a crash'));
}

/** Tries what a pool does: a clone with the same bytes, a link, a rename. Null when all works; why extents are not shared. */
async function probe(pool: Pool): Promise<string | null> {
  const { host, call } = pool;
  const [source, clone, further] = ['probe', 'probe-clone', 'probe-link'].map((name) => pool.temp(hidden(pool, name)));
  if (source === undefined || clone === undefined || further === undefined) return null;
  const content = call.random(65_536);
  try {
    await host.change(because(create(source, content, 0o600), 'a probe of the filesystem'));
    await host.change(link(source, further));
    await host.change(rename(further, clone));
    await host.change(remove(clone));
    await host.change(reflink(source, clone));
    const copied = host.dry ? content : await host.query(bytes(clone));
    return Buffer.from(content).equals(copied ?? new Uint8Array())
      ? null
      : 'a clone did not hold the bytes of its source';
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'unsupported' || error.details.because === undefined) throw error;
    return error.details.because;
  } finally {
    await takeAway(pool, [source, clone, further], 'the probe is over');
  }
}
