import type { Entry } from '@platter/host/door';
import { list } from '@platter/host/looks';
import { baseOf, isSegment } from '../name.ts';
import type { Pool } from '../pool.ts';
import { aside, type Told } from './finding.ts';

const deepest = 4;
const cow = /^.+-cow\.img/;
const revision = /\.img(\.[^@]*)?@.*Z$/;
const dated = /\.img@/;

/** What lies in the pool's directories and is no file of a volume; directories that can hold none are left alone. */
export async function straysIn(pool: Pool, above: readonly string[] = []): Promise<Told[]> {
  const dir = [pool.path, ...above].join('/');
  const entries = ((await pool.host.query(list(dir))) ?? []).filter(
    ({ name }) => above.length > 0 || name !== '.platter',
  );
  const found: Told[] = [];
  for (const entry of entries) {
    const path = `${dir}/${entry.name}`;
    const stray = strayOf(entry);
    if (stray !== null) found.push({ ...stray, path, message: `${path} ${stray.message}`, fix: aside(pool, path) });
    else if (entry.kind === 'dir' && above.length < deepest - 1 && isSegment(entry.name, false))
      found.push(...(await straysIn(pool, [...above, entry.name])));
  }
  return found;
}

/** Why an entry is no file of a volume; null for one that is, and for a directory. */
export function strayOf({ name, kind }: Entry): Pick<Told, 'code' | 'message'> | null {
  if (kind === 'link') return { code: 'symlink', message: 'is a symbolic link: no verb follows it' };
  if (kind === 'dir' && !name.includes('.img')) return null;
  if (kind !== 'file') return { code: 'foreign-file', message: 'has the place of an image and is no regular file' };
  if (baseOf(name) !== null) return null;
  if (cow.test(name))
    return { code: 'cow-file', message: 'is what an older driver has not committed: let that do so first' };
  if (dated.test(name)) return { code: 'bad-revision-name', message: 'is a revision without a number, as in 2018' };
  if (revision.test(name))
    return { code: 'bad-revision-name', message: 'is named like a revision, but has no number from 1 and a time' };
  return { code: 'foreign-file', message: 'is no file of a volume' };
}

/** Whether a stray lies beside a volume's files and begins like them. */
export const besides = (path: string, { dir, base }: { dir: string; base: string }): boolean =>
  path.startsWith(`${dir}/${base}.img`) || path.startsWith(`${dir}/${base}-`);
