import { link, mkdir, remove, sync } from '@platter/host/changes';
import { lstat } from '@platter/host/looks';
import type { Pool } from './pool.ts';
import type { Volume } from './volume.ts';

/** The directories of a volume's name, made where they are missing. */
export async function segmentsOf(pool: Pool, { name }: Volume): Promise<void> {
  const parts = name.split('/').slice(0, -1);
  for (const [depth] of parts.entries()) {
    const [above, path] = [parts.slice(0, depth), parts.slice(0, depth + 1)].map((some) =>
      [pool.path, ...some].join('/'),
    );
    if (path === undefined || above === undefined || (await pool.host.query(lstat(path))) !== null) continue;
    await pool.host.change(mkdir(path, 0o700));
    await pool.host.change(sync(above));
  }
}

/** Puts a finished temporary in place where there must be nothing yet. */
export async function linkIn(pool: Pool, temp: string, { to, dir }: { to: string; dir: string }): Promise<void> {
  await pool.host.change(link(temp, to));
  await pool.host.change(remove(temp));
  await pool.host.change(sync(dir));
}
