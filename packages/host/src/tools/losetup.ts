import { majorMinor } from '../device.ts';
import type { Host, Program } from '../door.ts';
import { Failure } from '../failure.ts';
import { run } from '../looks.ts';
import { must } from '../outcome.ts';

/** One attached loop device. `inode` and `dev` ("maj:min") name its file; null when losetup could not tell. */
export interface Loop {
  name: string;
  backFile: string;
  inode: bigint | null;
  dev: string | null;
  autoclear: boolean;
  readOnly: boolean;
  directIO: boolean;
  sectorSize: number;
  offset: number;
  sizeLimit: number;
}

const columns = 'NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN,AUTOCLEAR,RO,DIO,LOG-SEC,OFFSET,SIZELIMIT';
/** All loop devices of the host; never with a device as a word, which would attach it. */
export const listing: Program = run('losetup', ['-J', '-l', '-O', columns]);

type Row = Record<string, string | number | boolean | null>;

/** Numbers beyond 2^53 keep their digits: as text, from the source of the JSON. */
const exact = (_: string, value: unknown, { source }: { source?: string } = {}) =>
  typeof value === 'number' && !Number.isSafeInteger(value) ? source : value;

/** Reads losetup's listing; nothing printed at all means no loop. Failure failed when it is not JSON. */
export function parseLoops(stdout: string): Loop[] {
  if (stdout.trim() === '') return [];
  try {
    const { loopdevices } = JSON.parse(stdout, exact) as { loopdevices: Row[] };
    return loopdevices.map(loopOf);
  } catch (cause) {
    throw new Failure('failed', 'could not tell the loop devices: losetup printed no JSON', { cause });
  }
}

function loopOf(row: Row): Loop {
  const inode = row['back-ino'];
  const dev = row['back-maj:min'];
  return {
    name: String(row.name),
    backFile: String(row['back-file'] ?? ''),
    inode: inode === null || inode === undefined ? null : BigInt(inode as string | number),
    dev: typeof dev === 'string' && dev.trim() !== '' ? dev.trim() : null,
    autoclear: truth(row.autoclear),
    readOnly: truth(row.ro),
    directIO: truth(row.dio),
    sectorSize: Number(row['log-sec'] ?? 512),
    offset: Number(row.offset ?? 0),
    sizeLimit: Number(row.sizelimit ?? 0),
  };
}

/** Older releases print "0" and "1". */
const truth = (value: unknown) => value === true || value === '1' || value === 1;

/** All attached loops of the host. */
export async function loops(host: Host): Promise<Loop[]> {
  return parseLoops(must(listing, await host.query(listing)).stdout);
}

/** Whether a loop serves exactly this file; a loop whose file could not be told serves none. */
export function serves(loop: Loop, file: { dev: bigint; ino: bigint }): boolean {
  return loop.inode === file.ino && loop.dev === majorMinor(file.dev);
}
