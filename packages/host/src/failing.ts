import { errno, Failure } from './failure.ts';

const reasons: Record<string, string> = {
  EACCES: 'permission denied',
  EBUSY: 'in use',
  EEXIST: 'the name is taken',
  EIO: 'input/output error',
  EISDIR: 'it is a directory',
  ELOOP: 'too many symbolic links',
  EMLINK: 'too many links',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EPERM: 'operation not permitted',
  EROFS: 'the filesystem is read-only',
  EXDEV: 'not the same filesystem',
  EDQUOT: 'quota exceeded',
};

/** What an errno becomes: a Failure failed that says what was tried; the errno stays readable. Other errors stay as they are. */
export function failed(what: string, cause: unknown): unknown {
  const code = errno(cause);
  if (cause instanceof Failure || code === undefined) return cause;
  const hint = code === 'ENOSPC' || code === 'EDQUOT' ? { hint: 'free some space, then run this again' } : {};
  return new Failure('failed', `could not ${what}: ${reasons[code] ?? code}`, { cause, ...hint });
}

/** Runs one system call; its errno becomes a Failure. */
export async function trying<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw failed(what, cause);
  }
}
