import { duration, integer, optional } from '@platter/command/flag';
import { reading } from '@platter/command/words';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import { parsePlace } from './address.ts';
import { type Period, type Policy, periods } from './expire.ts';
import { listVms, type Repo } from './repository.ts';
import { vmAddress } from './telling.ts';

function parseCount(word: string): number {
  const count = integer.parse(word);
  if (count > 0) return count;
  throw new Invalid('0 keeps nothing: leave the flag out');
}

const counted = (help: string) => optional({ value: 'N', parse: parseCount, help });

export const policyFlags = {
  'keep-last': counted('the newest N sets'),
  'keep-hourly': counted('the newest set of each of the newest N hours that have one'),
  'keep-daily': counted('the same of days, in UTC'),
  'keep-weekly': counted('the same of weeks, which begin on Monday'),
  'keep-monthly': counted('the same of months'),
  'keep-yearly': counted('the same of years'),
  'keep-within': optional({ ...duration, help: 'all sets younger than that' }),
};

type PolicyFlags = Record<`keep-${Period}` | 'keep-within', number | undefined>;

/** The policy that was said; 2 when none was. */
export function policyOf(flags: PolicyFlags): Policy {
  const said = ([...periods, 'within'] as const).flatMap((name) => {
    const value = flags[`keep-${name}`];
    return value === undefined ? [] : [[name, value] as const];
  });
  if (said.length > 0) return Object.fromEntries(said);
  throw new Failure('usage', 'keep what?', { hint: '--keep-last 7 --keep-weekly 4' });
}

function placeOf(word: string): string {
  const place = reading('NS/VM', () => parsePlace(word));
  if (place.disk === null) return vmAddress(place);
  throw new Failure('usage', `${word} is a disk`, { hint: 'sets are pruned, with all their disks: [NS/]VM' });
}

/** The VMs that were said, or all; in name order, in which their locks are taken. */
export async function vmsOf(host: Host, repo: Repo, words: readonly string[]): Promise<string[]> {
  const names = words.length > 0 ? words.map(placeOf) : (await listVms(host, repo)).map(vmAddress);
  return [...new Set(names)].sort();
}
