import { createHash } from 'node:crypto';
import { chmod, copy, create, pour, reflink, sync, truncate } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { hold, lstat, run } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { extentsOf } from '@platter/host/tools/filefrag';
import { formatSize } from '@platter/units/size';
import { containerOf } from './container.ts';
import type { Image } from './family.ts';
import { holders } from './machine.ts';
import type { Pool } from './pool.ts';
import { copyLimitMs } from './steps.ts';
import { blocksOf } from './stream.ts';

/** How the bytes of a source come in. */
export interface IntakeWish {
  share: boolean;
  copy: boolean;
  live: boolean;
  raw: boolean;
  size: number | null;
  sha256: string | null;
}

export type Method = 'reflink' | 'copy' | 'stream' | 'session';

/** What was put under the temporary name. A digest only where somebody asked, or all bytes went through us. */
export interface Taken {
  method: Method;
  size: number;
  sha256: string | null;
}

/** Copies or clones a file to a temporary name; what may not be imported is refused before. */
export async function takeFile(
  pool: Pool,
  { path, temp }: { path: string; temp: string },
  wish: IntakeWish,
): Promise<Taken> {
  const held = await pool.host.query(hold(path));
  try {
    await checkSource(pool, held, wish);
    const method = await methodOf(pool, held, wish);
    await bring(pool, { held, temp, method, wish });
    const size = pool.host.dry ? held.size : ((await pool.host.query(lstat(temp)))?.size ?? 0);
    if (!wish.live && !held.same())
      throw new Failure('busy', `${path} was written while it was imported`, { hint: 'try again' });
    return { method, size, sha256: wish.sha256 === null || pool.host.dry ? null : await digestOf(pool, temp) };
  } finally {
    held.close();
  }
}

async function checkSource(pool: Pool, held: Held, { raw, live }: IntakeWish): Promise<void> {
  const { path, kind, size } = held;
  if (kind !== 'file')
    throw new Failure('refused', `will not import ${path}: it is a device`, {
      hint: `cat ${path} | reflink-pool import VOL -`,
    });
  checkLength(path, size);
  if (!raw) await refuseContainer(held);
  const stat = await pool.host.query(lstat(path));
  const users = stat === null || live ? [] : await holders(pool, { ...stat, path });
  if (users.length === 0) return;
  throw new Failure('busy', `will not import ${path}: it is in use`, {
    details: { by: users.join('\n') },
    hint: '--live takes it as after a power cut',
  });
}

/** A loop device drops what does not fill a sector, so such an image would lose its end. */
export function checkLength(path: string, size: number): void {
  if (size > 0 && size % 512 === 0) return;
  throw new Failure('refused', `will not import ${path}: ${size} bytes are no whole number of sectors of 512`);
}

async function refuseContainer(held: Held): Promise<void> {
  const bytes = source(held);
  const [start, end] = [await bytes.read(0, 512), await bytes.read(held.size - 512, 512)];
  refuseFormat(held.path, containerOf(start, end));
}

/** A container is no disk: its header would be what the guest sees. */
export function refuseFormat(path: string, format: string | null): void {
  if (format === null) return;
  throw new Failure('refused', `will not import ${path}: it is a ${format} file, not a raw image`, {
    hint: 'convert it with disk-tools, or --format raw to take its bytes as they are',
  });
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

async function reserved(pool: Pool, held: Held): Promise<boolean> {
  try {
    const map = await extentsOf(pool.host, held);
    return Array.from({ length: map.count }, (_, index) => map.at(index)).some(({ kind }) => kind === 'zero');
  } catch (error) {
    if (error instanceof Failure && error.kind === 'failed') return true;
    throw error;
  }
}

type Bringing = { held: Held; temp: string; method: 'reflink' | 'copy'; wish: IntakeWish };

/** By reflink where that was found right; across filesystems it cannot be, and then bytes are copied unless sharing was asked. */
async function bring(pool: Pool, bringing: Bringing): Promise<void> {
  const { held, temp, method, wish } = bringing;
  const { host } = pool;
  const why = `what ${held.path} holds`;
  if (method === 'copy') {
    await host.change(because(copy(held.path, temp, { timeout: copyLimitMs(held.size) }), why));
    return;
  }
  try {
    await host.change(because(reflink(held.path, temp), why));
  } catch (error) {
    const must = wish.share || wish.live;
    if (must || !(error instanceof Failure) || error.kind !== 'unsupported') throw error;
    bringing.method = 'copy';
    await bring(pool, bringing);
  }
}

/** The SHA-256 of a file, in hex. */
async function digestOf({ host }: Pool, path: string): Promise<string> {
  const program = run('sha256sum', ['--', path], { timeout: 24 * 3_600_000 });
  return must(program, await host.query(program)).stdout.slice(0, 64);
}

/** Writes stdin to a temporary name; runs of zeros stay holes. */
export async function takeStream(pool: Pool, temp: string, wish: IntakeWish): Promise<Taken> {
  const { host, call } = pool;
  const hash = createHash('sha256');
  await host.change(because(create(temp, '', 0o600), 'what stdin holds'));
  const meter = wish.size === null ? null : call.progress('import', wish.size);
  const target = host.dry ? null : await host.query(hold(temp, { write: true }));
  let size = 0;
  let [first, last] = [new Uint8Array(), new Uint8Array()];
  try {
    for await (const { bytes, pieces } of blocksOf(call.stream(), size)) {
      hash.update(bytes);
      if (size === 0) first = bytes.slice(0, 512);
      last = Buffer.concat([last, bytes.subarray(-512)]).subarray(-512);
      size += bytes.length;
      meter?.update(size);
      if (target !== null && pieces.length > 0) await host.change(pour(target, pieces));
    }
  } finally {
    meter?.end();
    target?.close();
  }
  checkLength('stdin', size);
  if (!wish.raw) refuseFormat('stdin', containerOf(first, last));
  await host.change(truncate(temp, size));
  return { method: 'stream', size, sha256: hash.digest('hex') };
}

/** What arrived must be what was announced; then nobody may write it any more. */
export async function seal(
  pool: Pool,
  temp: string,
  { taken, wish }: { taken: Taken; wish: IntakeWish },
): Promise<void> {
  const { size, sha256 } = taken;
  const wrong = (what: string, expected: string, got: string) =>
    new Failure('corrupt', `the import is ${what}`, { details: { expected, got } });
  if (wish.size !== null && size !== wish.size)
    throw wrong(size < wish.size ? 'too short' : 'too long', formatted(wish.size), formatted(size));
  if (wish.sha256 !== null && sha256 !== null && sha256 !== wish.sha256)
    throw wrong('not what its digest says', wish.sha256, sha256);
  await pool.host.change(because(chmod(temp, 0o400), 'committed images are written by nobody'));
  await pool.host.change(sync(temp));
}

const formatted = (bytes: number) => `${formatSize(bytes)} (${bytes})`;

/** The facts of a file at a path; a dry run makes them up from what would be there. */
export async function imageOf(pool: Pool, path: string, size: number): Promise<Image> {
  const stat = pool.host.dry ? null : await pool.host.query(lstat(path));
  if (stat !== null) return { ...stat, path };
  const mtimeNs = BigInt(Math.round(pool.call.now())) * 1_000_000n;
  return { path, dev: 0n, ino: 0n, size, allocated: 0, mode: 0o400, nlink: 1, mtimeNs, birthNs: mtimeNs };
}
