import type { Entry } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { list, lstat } from '@platter/host/looks';
import { grouping } from './groups.ts';
import { type Role, roleOf, stemsOf } from './name.ts';
import type { Pool } from './pool.ts';
import type { Image } from './volume.ts';

/** A file of a volume, with what it is for. */
export type Found = Image & { role: Role };

/** The listing of a volume's directory; null when it is not there. No symlink on the way is followed. */
export async function segments(pool: Pool, name: string, dir: string): Promise<Entry[]> {
  const parts = name.split('/').slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const path = `${pool.path}/${parts.slice(0, depth).join('/')}`;
    const found = await pool.host.query(lstat(path));
    if (found === null) return [];
    if (found.kind !== 'dir')
      throw new Failure('refused', `${path} is not a directory of the pool`, {
        details: { is: found.kind },
        hint: 'mv it out of the pool',
      });
  }
  return (await pool.host.query(list(dir))) ?? [];
}

/** A volume's directory as it was listed, and the beginning of its names. */
export interface Place {
  dir: string;
  base: string;
  entries: readonly Entry[];
}

/** By what stands before `.img`. */
const byStem = grouping((name) => name.slice(0, name.indexOf('.img')));

/** The files of one family; entries that vanish meanwhile are left out, a file of another filesystem is refused. */
export async function filesOf(pool: Pool, { dir, base, entries }: Place) {
  const near = stemsOf(base).flatMap((stem) => byStem(entries, stem));
  const named = near.flatMap((entry) => {
    const role = roleOf(base, entry.name);
    return role === null ? [] : [{ ...entry, role, path: `${dir}/${entry.name}` }];
  });
  const regular = named.filter(({ kind, role }) => kind === 'file' && role.role !== 'temp');
  const files = await Promise.all(regular.map(async ({ path, role }) => imageAt(pool, path, role)));
  const present = files.filter((file) => file !== null);
  const own = new Set(present.map(({ dev }) => dev));
  const others = named.filter(({ kind, role }) => kind !== 'file' && role.role !== 'revision' && role.role !== 'temp');
  if (own.size > 1)
    throw new Failure('refused', `${dir}/${base}: the files of this volume lie on two filesystems`, {
      hint: 'umount what is mounted there: links and renames do not cross it',
    });
  return {
    files: present,
    temps: named.filter(({ role, kind }) => role.role === 'temp' && kind === 'file').map(({ path }) => path),
    strange: others.map(({ path }) => path),
  };
}

async function imageAt({ host }: Pool, path: string, role: Role): Promise<Found | null> {
  const stat = await host.query(lstat(path));
  if (stat === null) return null;
  const { dev, ino, size, allocated, mode, nlink, mtimeNs, birthNs } = stat;
  return { path, role, dev, ino, size, allocated, mode, nlink, mtimeNs, birthNs };
}
