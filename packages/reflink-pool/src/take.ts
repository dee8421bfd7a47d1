import type { Lock } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { hidden, type Pool } from './pool.ts';

/** What a lock is on, for the message, and how long to wait for it in ms. */
export interface Wanted {
  path: string;
  what: string;
  wait: number;
}

/** Takes one lock of the pool; busy names the holder, a read-only pool is refused. */
export async function take({ call, host }: Pool, { path, what, wait }: Wanted): Promise<Lock> {
  try {
    return await host.change({ op: 'lock', path, holder: call.holder, wait });
  } catch (error) {
    if (errno(error) === 'EROFS')
      throw new Failure('refused', `will not change ${what}: the pool is mounted read-only`);
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    throw new Failure('busy', `${what} is locked by another verb`, { details: error.details, hint: '--wait 10s' });
  }
}

/** The volumes to lock together, and how long to wait for each lock in ms. */
export interface Together {
  volumes: readonly string[];
  wait: number;
}

/** Runs `work` while nobody else makes or reverts a set, nor touches these volumes: `%sets` first, then names in byte order. */
export async function withAll<T>(pool: Pool, { volumes, wait }: Together, work: () => Promise<T>): Promise<T> {
  const locks: Lock[] = [];
  try {
    locks.push(await take(pool, { path: hidden(pool, 'locks/%sets'), what: 'the list of sets', wait }));
    for (const name of [...new Set(volumes)].sort())
      locks.push(await take(pool, { path: pool.lockFile(name), what: name, wait }));
    return await work();
  } finally {
    for (const lock of locks.reverse()) lock.release();
  }
}
