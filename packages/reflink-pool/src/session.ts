import { jot, rename } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { formatInstant } from '@platter/units/instant';
import { shellLine } from '@platter/units/shell';
import type { Pool } from './pool.ts';
import { built } from './steps.ts';
import type { Volume } from './volume.ts';

/** The inode of a file, or, in a dry run that did not make it, the file's path. */
export type Noted = { ino: bigint } | { path: string };

/** NOTE: which inode the working copy is, of this boot. Not flushed: its loss only means "cannot tell". */
export async function note(pool: Pool, volume: Volume, session: { of: Noted; bootId: string; unclean: boolean }) {
  const { of, ...known } = session;
  const path = pool.sessionFile(volume.name);
  const startedAt = formatInstant(pool.call.now());
  const content = (ino: string) => JSON.stringify({ ino, ...known, startedAt });
  const [data, shell] =
    'ino' in of
      ? [`${content(String(of.ino))}\n`, {}]
      : [
          '',
          { shell: `${shellLine(['printf', `${content('%s')}\\n`])} "$(stat -c %i ${shellLine(['--', of.path])})"` },
        ];
  await built(pool, path, async (temp) => {
    await pool.host.change(because(jot(temp, data, { mode: 0o600, ...shell }), 'says which inode the working copy is'));
    await pool.host.change(rename(temp, path));
  });
}
