import { dirname, resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { duration, given, optional } from '@platter/command/flag';
import type { Host, Space } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { glance } from '@platter/host/glance';
import { space, text } from '@platter/host/looks';
import { Invalid } from '@platter/units/invalid';
import { encoded, tempOf } from './name.ts';
import { foreign, ownedBy } from './owner.ts';
import { type PoolFile, readPoolFile } from './sidecar.ts';

/** The flag every verb has. */
export const poolFlag = {
  pool: optional({ value: 'DIR', parse: poolPath, env: 'PLATTER_POOL', help: "the pool's directory" }),
};
/** The flags of verbs that lock volumes. */
export const lockFlags = {
  ...poolFlag,
  wait: given({ ...duration, default: '0', help: 'how long to wait for a locked volume' }),
};

/** How long the person will wait for a lock, in ms. */
export const waitOf = ({ call }: Pick<Pool, 'call'>): number => (call.flags as { wait: number }).wait;

function poolPath(word: string): string {
  if (word === '' || word.split('/').includes('..')) throw new Invalid(`"${word}" is not a pool: a path without ".."`);
  return word;
}

type PoolCall = Call<{ pool: string | undefined }>;

/** An open pool: its directory, settings, and the ways to the machine. */
export interface Pool {
  call: Call<unknown>;
  host: Host;
  path: string;
  settings: PoolFile;
  space: Space;
  volumeFile(volume: string): string;
  sessionFile(volume: string): string;
  lockFile(volume: string): string;
  /** A temporary name beside a path. */
  temp(path: string): string;
}

/** A directory or file of ours at the pool's root. */
export const hidden = ({ path }: Pick<Pool, 'path'>, name: string): string => `${path}/.platter/${name}`;

/** The pool that was said by flag or environment; relative to where we are. */
export function poolDirectory(call: PoolCall): string {
  if (call.flags.pool === undefined)
    throw new Failure('usage', 'which pool?', { hint: '--pool DIR, or set PLATTER_POOL' });
  return resolve(call.cwd, call.flags.pool);
}

/** Opens the pool; not being one is refused, a pool file that cannot be read corrupt or unsupported. */
export async function openPool(call: PoolCall): Promise<Pool> {
  const path = poolDirectory(call);
  const file = hidden({ path }, 'pool.json');
  const content = await settingsText(call.host, file);
  if (content === null) throw await notAPool(call.host, path);
  return poolOf(call, { path, settings: readPoolFile(file, content), space: await call.host.query(space(path)) });
}

async function settingsText(host: Host, file: string): Promise<string | null> {
  try {
    return await host.query(text(file));
  } catch (error) {
    if (errno(error) !== 'EACCES') throw error;
    throw await foreign(host, dirname(file), error);
  }
}

/** A pool from what is known of it. */
export function poolOf(call: Call<unknown>, known: Pick<Pool, 'path' | 'settings' | 'space'>): Pool {
  const inside = (dir: string, end: string) => (volume: string) => hidden(known, `${dir}/${encoded(volume)}${end}`);
  return {
    ...known,
    call,
    host: ownedBy(call.host, call.uid),
    volumeFile: inside('volumes', '.json'),
    sessionFile: inside('sessions', '.json'),
    lockFile: inside('locks', ''),
    temp: (target) => tempOf(target, call.random(8)),
  };
}

/** The same pool for a verb that looks at many volumes: each directory is listed once. */
export const glancing = (pool: Pool): Pool => ({ ...pool, host: glance(pool.host) });

async function notAPool(host: Host, path: string): Promise<Failure> {
  const { familiesIn } = await import('./families.ts');
  const [first] = await familiesIn(host, path);
  if (first === undefined)
    return new Failure('refused', `${path} is not a pool`, { hint: `reflink-pool init --pool ${path}` });
  return new Failure('refused', `${path} holds images (${first}) but is not a pool yet`, {
    hint: `reflink-pool adopt --pool ${path}`,
  });
}
