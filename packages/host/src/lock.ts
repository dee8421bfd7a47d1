import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import type { Lock, LockRequest } from './door.ts';
import { trying } from './failing.ts';
import { errno, Failure } from './failure.ts';
import { packageOf } from './packages.ts';

const taken = 75;

/**
 * Takes a flock(1) on a descriptor of ours: an inherited one, so the lock is our open file's and ends with us, SIGKILL
 * too. The path must still name the locked file afterwards (a holder may have unlinked it). Busy names the holder.
 */
export async function takeLock(request: LockRequest): Promise<Lock> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const lock = await trying(`take the lock ${request.path}`, () => attemptLock(request));
    if (lock !== null) return lock;
  }
  throw new Failure('busy', `${request.path} is being replaced by others again and again`, { hint: 'try again' });
}

/** Null when the path came to name another file before we had the lock. */
async function attemptLock(request: LockRequest): Promise<Lock | null> {
  const fd = open(request);
  try {
    await flock(fd, request);
    if (same(fd, request.path)) return held(fd, request);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return null;
}

function held(fd: number, { path, holder, shared }: LockRequest): Lock {
  const previous = contents(fd);
  if (holder && !shared) inscribe(fd, JSON.stringify(holder));
  return { fd, path, previous, release: () => closeSync(fd) };
}

/** Readers open only for reading. Files are made when missing; a directory and other locks without holder are not. */
function open({ path, shared, holder }: LockRequest): number {
  const flags = constants.O_NOFOLLOW;
  try {
    if (holder === undefined || shared) return openSync(path, constants.O_RDONLY | flags);
  } catch (error) {
    if (!shared || errno(error) !== 'ENOENT') throw error;
  }
  return openSync(path, constants.O_RDWR | constants.O_CREAT | flags, 0o600);
}

function same(fd: number, path: string): boolean {
  const [ours, named] = [fstatSync(fd, { bigint: true }), statSync(path, { bigint: true, throwIfNoEntry: false })];
  return named !== undefined && ours.ino === named.ino && ours.dev === named.dev;
}

async function flock(fd: number, request: LockRequest): Promise<void> {
  const wait = request.wait ? ['-w', String(request.wait / 1000)] : ['-n'];
  const words = [request.shared ? '-s' : '-x', ...wait, '-E', String(taken), '3'];
  const code = await new Promise<number | null>((resolve, reject) => {
    spawn('flock', words, { stdio: ['ignore', 'ignore', 'ignore', fd] })
      .on('error', reject)
      .on('close', resolve);
  }).catch((cause) => {
    throw new Failure('unsupported', 'flock is not installed', {
      cause,
      hint: `apt-get install ${packageOf('flock')}`,
    });
  });
  if (code === taken)
    throw new Failure('busy', `${request.path} is locked`, { details: heldBy(fd), hint: 'try again later' });
  if (code !== 0) throw new Failure('failed', `could not lock ${request.path}: flock ended with ${code}`);
}

function contents(fd: number): string {
  if (!fstatSync(fd).isFile()) return '';
  const buffer = Buffer.alloc(4096);
  return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
}

function heldBy(fd: number): Record<string, string> {
  try {
    const { tool, verb, pid, host, since } = JSON.parse(contents(fd));
    return { by: `${tool} ${verb}, pid ${pid} on ${host}, since ${since}` };
  } catch {
    return {};
  }
}

/** Replaces what the lock file says. */
export function inscribe(fd: number, words: string): void {
  ftruncateSync(fd, 0);
  writeSync(fd, `${words}\n`, 0);
}
