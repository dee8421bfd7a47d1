import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { duration, given, integer, on, optional, text } from '@platter/command/flag';
import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';

/** The repository of a verb: a flag before the environment. */
export const repoFlag = { repo: optional({ ...text, value: 'DIR', env: 'PLATTER_REPO', help: 'the repository' }) };

const parseWorkers = (word: string): number => {
  const workers = integer.parse(word);
  if (workers >= 1 && workers <= 16) return workers;
  throw new Invalid(`"${word}" is not a number of workers: 1 to 16`);
};

export const workersFlag = {
  workers: given({ value: 'N', parse: parseWorkers, default: '4', help: 'threads that move data' }),
};
export const waitFlag = { wait: given({ ...duration, default: '0s', help: 'how long to wait for a lock' }) };

/** What verbs have in common that take their chain from files as well as from the repository. */
export const looseFlags = {
  files: on('the words are qcow2 files, oldest first, and no repository'),
  'ignore-backing': on('put up with other backing names in increments; they are never opened'),
};

/** What verbs that move data into a repository have in common. */
export const common = { ...repoFlag, ...workersFlag, ...waitFlag };

/** The folder of the repository that was said, absolute; 2 when none was. */
export function rootOf({ flags, cwd }: Call<{ repo: string | undefined }>): string {
  if (flags.repo !== undefined) return resolve(cwd, flags.repo);
  throw new Failure('usage', 'which repository?', { hint: '--repo DIR, or PLATTER_REPO=DIR' });
}
