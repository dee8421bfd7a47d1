import { join } from 'node:path';
import type { Environment } from '@platter/command/words';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { stat } from '@platter/host/looks';
import { packageOf } from '@platter/host/packages';

/** Where the door looks for programs after PATH. */
const sbin = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Unsupported, with the package to install, when a program is not there; looks without starting anything. */
export async function checkPrograms(host: Host, env: Environment, programs: readonly string[]): Promise<void> {
  const places = [...new Set([...(env.PATH ?? '').split(':').filter(Boolean), ...sbin])];
  for (const program of programs)
    if (!(await found(host, program, places)))
      throw new Failure('unsupported', `${program} is not installed`, {
        hint: `apt-get install ${packageOf(program)}`,
      });
}

/** As in a shell, a folder of PATH that may not be looked at holds nothing. */
async function found(host: Host, program: string, places: readonly string[]): Promise<boolean> {
  for (const place of places) {
    const file = await host.query(stat(join(place, program))).catch(() => null);
    if (file?.kind === 'file' && (file.mode & 0o111) !== 0) return true;
  }
  return false;
}
