import { errno, Failure } from '@platter/host/failure';
import { lstat, space } from '@platter/host/looks';
import { btrfs } from './filesystem.ts';
import type { Pool } from './pool.ts';
import type { Image } from './volume.ts';

/** How a committed image comes to another place: under a further name, with shared extents, or with bytes of its own. */
export type Way = 'link' | 'reflink' | 'copy';

/** The filesystem an image is to come to: its device, and its statfs(2) magic. */
export interface Ground {
  dev: bigint;
  type: number;
}

/** The filesystem of a directory, or of the one it is going to be made in. */
export async function groundOf({ host }: Pool, dir: string): Promise<Ground> {
  for (let path = dir; ; path = path.slice(0, path.lastIndexOf('/')) || '/') {
    const found = await host.query(lstat(path));
    if (found !== null) return { dev: found.dev, type: (await host.query(space(path))).type };
  }
}

/** The ways an image may come to a place, the cheapest first. Failure unsupported when there is none. */
export function waysTo(
  { settings, space }: Pick<Pool, 'settings' | 'space'>,
  { path, dev }: Pick<Image, 'path' | 'dev'>,
  { ground, link, allowCopy }: { ground: Ground; link: boolean; allowCopy: boolean },
): Way[] {
  const near = ground.dev === dev;
  const sharing = near || (ground.type === btrfs && space.type === btrfs);
  const own = near && settings.backend === 'copy' ? (['copy'] as const) : [];
  const ways: Way[] = [
    ...(near && link ? (['link'] as const) : []),
    ...(sharing && settings.backend === 'reflink' ? (['reflink'] as const) : own),
    ...(allowCopy ? (['copy'] as const) : []),
  ];
  if (ways.length > 0) return ways;
  throw unshareable(path, 'it lies on another filesystem');
}

const unshareable = (path: string, because: string) =>
  new Failure('unsupported', `${path} cannot share its extents with that place`, {
    details: { because },
    hint: '--allow-copy copies all bytes',
  });

/** Goes the first way that can be gone. Only "cannot" leads to the next: an input/output error never becomes a copy. */
export async function firstOf(ways: readonly Way[], from: Image, go: (way: Way) => Promise<void>): Promise<Way> {
  const [way = 'copy', ...others] = ways;
  try {
    await go(way);
    return way;
  } catch (error) {
    const why = barrier(way, error);
    if (why === undefined) throw error;
    if (others.length === 0) throw unshareable(from.path, why);
    return firstOf(others, from, go);
  }
}

/** Why a way is closed: no further name can be given (EPERM: not of this file), or no extents shared; undefined for any other error. */
function barrier(way: Way, error: unknown): string | undefined {
  const code = errno(error) ?? '';
  if (way === 'link') return ['EXDEV', 'EMLINK', 'EPERM'].includes(code) ? code : undefined;
  return error instanceof Failure && error.kind === 'unsupported' ? error.details.because : undefined;
}
