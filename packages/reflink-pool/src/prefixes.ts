import { Failure } from '@platter/host/failure';
import { near } from './nearest.ts';
import type { Pool } from './pool.ts';

/** The families below the prefixes that have an image; Failure refused for a prefix without any. */
export async function chosen(pool: Pool, all: readonly string[], prefixes: readonly string[]): Promise<string[]> {
  const under = (prefix: string) => all.filter((name) => name === prefix || name.startsWith(`${prefix}/`));
  for (const prefix of prefixes)
    if (under(prefix).length === 0)
      throw new Failure('refused', `there are no images below ${prefix}`, {
        hint: near(prefix, all).join(', ') || `reflink-pool init --pool ${pool.path}`,
      });
  return prefixes.length === 0 ? [...all] : [...new Set(prefixes.flatMap(under))].sort();
}

/** Nothing to adopt in a pool is how it ends the second time; elsewhere it is the wrong directory. */
export function refuseEmpty({ path }: Pool, there: boolean): void {
  if (there) return;
  throw new Failure('refused', `there are no images in ${path} to adopt`, { hint: `reflink-pool init --pool ${path}` });
}
