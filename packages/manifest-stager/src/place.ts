import { resolve } from 'node:path';
import type { EntryKind, Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat, stat } from '@platter/host/looks';
import { folders, type Mode } from './manifest.ts';

/** Where the manifests lie: `dir` is absolute as seen below `root`, which is `/` or the root of a mounted image. */
export interface Place {
  root: string;
  dir: string;
}

/** The place that a person's flags name; a relative root starts at the current directory. */
export const placeOf = ({ root, dir }: Place, cwd: string): Place => ({ root: resolve(cwd, root), dir });

/** The real path of a path below the root. */
export const under = (root: string, path: string): string => (root === '/' ? path : root + path);

/** The folder of a mode as seen below the root. */
export const folderOf = ({ dir }: Place, mode: Mode): string =>
  dir === '/' ? `/${folders[mode]}` : `${dir}/${folders[mode]}`;

const kinds: Record<EntryKind, string> = {
  file: 'a file',
  dir: 'a directory',
  link: 'a symlink',
  block: 'a block device',
  char: 'a character device',
  fifo: 'a FIFO',
  socket: 'a socket',
};
/** What something is, for a message: `a symlink`. */
export const called = (kind: EntryKind): string => kinds[kind];

/** Every path on the way from the root to `path`: `/var`, `/var/lib`, ... */
function steps(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((_, n) => `/${parts.slice(0, n + 1).join('/')}`);
}

/**
 * The directories on the way to `path` that are not there yet, outermost first; none when it is all there. A symlink
 * on the way is refused, for an image must not lead us out of itself, and so is anything that is no directory.
 */
export async function missing(host: Host, root: string, path: string): Promise<string[]> {
  const way = steps(path);
  for (const [n, step] of way.entries()) {
    const found = await host.query(lstat(under(root, step)));
    if (found === null) return way.slice(n);
    if (found.kind !== 'dir') throw notPlain(under(root, step), found.kind, 'directory');
  }
  return [];
}

/** Something that has to be a plain file or directory and is not. */
export function notPlain(path: string, kind: EntryKind, wanted: 'file' | 'directory'): Failure {
  const hint = kind === 'link' ? `name what it points to, or replace it by a plain ${wanted}` : `move it away`;
  return new Failure('refused', `will not follow ${path}: it is ${called(kind)}, not a plain ${wanted}`, { hint });
}

/** Refuses a root that is not there: everything else below it may be missing, and would be made. */
export async function checkRoot(host: Host, { root }: Place): Promise<void> {
  const found = await host.query(stat(root));
  if (found?.kind === 'dir') return;
  throw new Failure('refused', `there is no directory ${root}`, { hint: 'mount the image, or give another --root' });
}
