import type { Change } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Disk } from './disk.ts';
import { poolOf } from './pool-of.ts';

/** A pool whose door refuses some changes, as a filesystem or a program would. */
export async function refusing(refusal: (change: Change) => Failure | undefined, ...history: string[]): Promise<Disk> {
  const disk = await poolOf(...history);
  const door = disk.change.bind(disk);
  disk.change = async (change) => {
    const failure = refusal(change);
    if (failure !== undefined) throw failure;
    return door(change);
  };
  return disk;
}

export const cause = (code: string) => new Failure('failed', code, { cause: { code } });
export const unshared = new Failure('unsupported', 'no', { details: { because: 'cp: Operation not supported' } });

/** Files of a folder are on another device, as of another filesystem or subvolume. */
export function elsewhere(disk: Disk, folder: string): Disk {
  const door = disk.query.bind(disk);
  disk.query = async (query) => {
    const answer = (await door(query)) as { dev?: bigint } | null;
    if (query.op === 'stat' && query.path.startsWith(folder) && answer !== null) answer.dev = 8n;
    return answer as never;
  };
  return disk;
}
