import { chmod, copy, reflink, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, lstat, run } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { extentsOf } from '@platter/host/tools/filefrag';
import { formatSize } from '@platter/units/size';
import type { Pool } from './pool.ts';
import { checkSource, type IntakeWish, type Taken } from './source.ts';
import type { Image } from './volume.ts';

/** Copies or clones a file to a temporary name; what may not be imported is refused before. */
export async function takeFile(
  pool: Pool,
  { path, temp }: { path: string; temp: string },
  wish: IntakeWish,
): Promise<Taken> {
  const held = await pool.host.query(hold(path));
  try {
    await checkSource(pool, held, wish);
    const method = await bring(pool, { held, temp, method: await methodOf(pool, held, wish), wish });
    const { dry } = pool.host;
    const size = dry ? held.size : ((await pool.host.query(lstat(temp)))?.size ?? 0);
    if (!wish.live && !held.same())
      throw new Failure('busy', `${path} was written while it was imported`, { hint: 'try again' });
    const sha256 = wish.sha256 === null ? null : await digestOf(pool, dry ? path : temp);
    return { method, size, sha256, consistency: wish.live ? 'crash' : null, from: path };
  } finally {
    held.close();
  }
}

/** Sharing a file that space was promised to voids the promise: overwriting shared blocks takes new ones. */
async function methodOf(
  pool: Pool,
  held: Held,
  { share, copy: bytewise, live }: IntakeWish,
): Promise<'reflink' | 'copy'> {
  if (live || share) return 'reflink';
  if (bytewise || pool.settings.backend === 'copy') return 'copy';
  if ((await pool.host.query(lstat(`${held.path}.lvm-loop.json`))) !== null) return 'copy';
  return (await reserved(pool, held)) ? 'copy' : 'reflink';
}

/** Whether blocks are promised inside the file; what XFS keeps ready behind its end is nobody's promise. */
async function reserved(pool: Pool, held: Held): Promise<boolean> {
  try {
    const map = await extentsOf(pool.host, held);
    return Array.from({ length: map.count }, (_, index) => map.at(index)).some(
      ({ kind, at }) => kind === 'zero' && at < held.size,
    );
  } catch (error) {
    if (error instanceof Failure && error.kind === 'failed') return true;
    throw error;
  }
}

type Bringing = { held: Held; temp: string; method: 'reflink' | 'copy'; wish: IntakeWish };

/** By reflink where that was found right; across filesystems it cannot be, and then bytes are copied unless sharing was asked. The way it was. */
async function bring(pool: Pool, bringing: Bringing): Promise<'reflink' | 'copy'> {
  const { held, temp, method, wish } = bringing;
  const { host } = pool;
  const why = `what ${held.path} holds`;
  if (method === 'copy') {
    await host.change(because(copy(held.path, temp), why));
    return method;
  }
  try {
    await host.change(because(reflink(held.path, temp), why));
    return method;
  } catch (error) {
    const must = wish.share || wish.live;
    if (must || !(error instanceof Failure) || error.kind !== 'unsupported') throw error;
    return bring(pool, { ...bringing, method: 'copy' });
  }
}

/** The SHA-256 of a file, in hex. */
export async function digestOf({ host }: Pool, path: string): Promise<string> {
  const program = run('sha256sum', ['--', path], { timeout: 24 * 3_600_000 });
  return must(program, await host.query(program)).stdout.slice(0, 64);
}

/** What arrived must be what was announced. */
export function checkTaken(
  { size, sha256 }: Pick<Taken, 'size' | 'sha256'>,
  wish: Pick<IntakeWish, 'size' | 'sha256'>,
): void {
  const wrong = (what: string, expected: string, got: string) =>
    new Failure('corrupt', `the import is ${what}`, { details: { expected, got } });
  if (wish.size !== null && size !== wish.size)
    throw wrong(size < wish.size ? 'too short' : 'too long', formatted(wish.size), formatted(size));
  if (wish.sha256 !== null && sha256 !== null && sha256 !== wish.sha256)
    throw wrong('not what its digest says', wish.sha256, sha256);
}

/** From here on nobody writes it. */
export async function seal(pool: Pool, path: string): Promise<void> {
  await pool.host.change(because(chmod(path, 0o400), 'committed images are written by nobody'));
  await pool.host.change(sync(path));
}

const formatted = (bytes: number) => `${formatSize(bytes)} (${bytes})`;

/** The facts of a file at a path; a dry run makes them up from what would be there. */
export async function imageOf(pool: Pool, path: string, size: number): Promise<Image> {
  const stat = pool.host.dry ? null : await pool.host.query(lstat(path));
  if (stat !== null) return { ...stat, path };
  const mtimeNs = BigInt(Math.round(pool.call.now())) * 1_000_000n;
  return { path, dev: 0n, ino: 0n, size, allocated: 0, mode: 0o400, nlink: 1, mtimeNs, birthNs: mtimeNs };
}
