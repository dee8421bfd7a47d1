import type { Host } from '../door.ts';
import { Failure } from '../failure.ts';
import type { Held } from '../hold.ts';
import { run } from '../looks.ts';
import { must } from '../outcome.ts';

/** What XFS says of a file without walking its extents. */
export interface XfsFacts {
  mappings: number;
  realtime: boolean;
}

/** Reads `xfs_io -c stat`; the program also exits 0 when its command failed, so a missing line is "could not tell". */
export function parseXfsStat(stdout: string): XfsFacts {
  const mappings = /^fsxattr\.nextents = (\d+)$/m.exec(stdout)?.[1];
  const flags = /^fsxattr\.xflags = 0x[0-9a-f]+ \[(.*)\]$/m.exec(stdout)?.[1];
  if (mappings === undefined || flags === undefined)
    throw new Failure('failed', 'could not tell the number of extents: xfs_io printed no fsxattr');
  return { mappings: Number(mappings), realtime: flags.startsWith('r') };
}

/** The number of mappings of an open file on XFS in O(1), and whether it lies on the realtime device. */
export async function xfsFacts(host: Host, held: Held): Promise<XfsFacts> {
  const unpin = held.pin();
  try {
    const program = run('xfs_io', ['-r', '-c', 'stat', '--', '/proc/self/fd/3'], { inherit: [held.fd] });
    return parseXfsStat(must(program, await host.query(program)).stdout);
  } finally {
    unpin();
  }
}

/** Whether a file of XFS keeps its data on another device, where addresses count apart. */
export const isRealtime = async (host: Host, held: Held): Promise<boolean> => (await xfsFacts(host, held)).realtime;
