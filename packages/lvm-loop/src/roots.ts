import { dirname, join, relative } from 'node:path';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { realpath } from '@platter/host/looks';
import { Invalid } from '@platter/units/invalid';
import { checkAbsolute } from '@platter/units/path';

const ours = '/var/lib/platter/lvm-loop';
const deckhouse = '/opt/deckhouse/sds/file-devices';
/** Images lie in a root or at most so many directories below it. */
export const deepest = 3;

export interface RootWords {
  said: readonly string[];
  env: string | undefined;
}

/** Real paths of the directories in and below which images live; one that was named must be there. */
export async function rootsOf(host: Host, { said, env }: RootWords): Promise<string[]> {
  const named = said.length > 0 ? said : (env ?? '').split(':').filter(Boolean);
  const roots = await Promise.all((named.length > 0 ? named : [ours, deckhouse]).map((root) => real(host, root)));
  const missing = named[roots.indexOf(null)];
  if (missing !== undefined)
    throw new Failure('refused', `the directory ${missing} is not there`, {
      hint: `mount what belongs there, or mkdir ${missing}`,
    });
  return [...new Set(roots.filter((root) => root !== null))];
}

/** Where `apply` makes its first image when nobody named a root. */
export const defaultRoot = ours;

const real = async (host: Host, root: string) => host.query(realpath(checkAbsolute(root)));

/** A directory of an image: its real path, whether it is there, and the root it lies in. */
export interface Place {
  path: string;
  root: string;
  there: boolean;
}

/** Resolves a directory that may still have to be made; Invalid when it lies outside all roots or too deep. */
export async function placeOf(host: Host, roots: readonly string[], directory: string): Promise<Place> {
  const { path, there } = await resolve(host, checkAbsolute(directory));
  const root = roots.find((one) => path === one || path.startsWith(one === '/' ? one : `${one}/`));
  if (root === undefined)
    throw new Invalid(`${directory} is not in or below ${roots.join(', ') || 'any root'}; name its root with --dir`);
  if (relative(root, path).split('/').filter(Boolean).length > deepest)
    throw new Invalid(`${directory} is more than ${deepest} directories below ${root}`);
  return { path, root, there };
}

/** The real path of the nearest ancestor that is there, with the rest behind it. */
async function resolve(host: Host, directory: string): Promise<{ path: string; there: boolean }> {
  const path = await host.query(realpath(directory));
  if (path !== null) return { path, there: true };
  const above = await resolve(host, dirname(directory));
  return { path: join(above.path, directory.slice(dirname(directory).length)), there: false };
}
