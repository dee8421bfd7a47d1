import { quote, shellLine } from '@platter/units/shell';
import type { Pool } from '../pool.ts';
import type { FindingRecord } from '../records/health.ts';

/** Something that is not as it should be, and the shell lines that put it right. */
export type Told = Pick<FindingRecord, 'code' | 'path' | 'message' | 'fix'>;

/** The record of a finding about a volume, or about the pool by its path. */
export const finding = (name: string, told: Told): FindingRecord => ({
  ...{ apiVersion: 'platter.dev/v1', kind: 'Finding', metadata: { name } },
  ...told,
});

/** A verb of ours on this pool. */
export const ours = ({ path }: Pick<Pool, 'path'>, ...words: string[]): string =>
  shellLine(['reflink-pool', ...words, '--pool', path]);

/** Moves a file out of the pool, to the same place below a directory beside it. */
export function aside({ path: pool }: Pick<Pool, 'path'>, path: string): string {
  const to = `${pool}.aside${path.slice(pool.length)}`;
  const make = shellLine(['mkdir', '-p', '--', to.slice(0, to.lastIndexOf('/'))]);
  return `${make} && ${shellLine(['mv', '-n', '-T', '--', path, to])}`;
}

/** Gives names of one committed image, which others name too, a file of their own with the same bytes and time. */
export function separate(
  { settings }: Pick<Pool, 'settings'>,
  [first = '', ...others]: readonly string[],
  shared = true,
): string {
  const temp = `${first}~doctor__`;
  const how = shared && settings.backend === 'reflink' ? ['--reflink=always'] : ['--reflink=never', '--sparse=always'];
  return [
    shellLine(['cp', ...how, '--preserve=timestamps', '--', first, temp]),
    `chmod 0400 -- ${quote(temp)}`,
    `sync -- ${quote(temp)}`,
    shellLine(['mv', '-T', '--', temp, first]),
    ...others.map((other) => shellLine(['ln', '-f', '-T', '--', first, other])),
  ].join(' && ');
}
