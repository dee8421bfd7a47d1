import { resolve } from 'node:path';
import { reading } from '@platter/command/words';
import { parseDiskName, parsePair } from './address.ts';
import { usage } from './asking.ts';
import type { History, Moment } from './foreign.ts';

interface Said {
  words: readonly string[];
  cwd: string;
  /** Whether the first file of each disk stands on a point that is there. */
  onto: boolean;
}

/** Files of each disk in the order they were named. */
function named({ words, cwd }: Said): Map<string, string[]> {
  const disks = new Map<string, string[]>();
  for (const word of words) {
    const [name, file] = reading('DISK=FILE', () => parsePair(word, 'DISK=FILE'));
    const disk = reading('DISK', () => parseDiskName(name));
    disks.set(disk, [...(disks.get(disk) ?? []), resolve(cwd, file)]);
  }
  return disks;
}

/** Moments out of `DISK=FILE` words: the n-th files of all disks are the n-th moment. */
export function momentsOf(said: Said): History['moments'] {
  const disks = [...named(said)].sort(([a], [b]) => (a < b ? -1 : 1));
  const [first] = disks;
  if (first === undefined) throw usage('which files?', 'DISK=FILE..., of each disk the full first');
  const count = first[1].length;
  const odd = disks.find(([, files]) => files.length !== count);
  if (odd !== undefined)
    throw usage(
      `${first[0]} has ${count} files, ${odd[0]} has ${odd[1].length}: the n-th files of all disks make the n-th set`,
      'import disks with other moments in a run of their own',
    );
  return Array.from({ length: count }, (_, n): Moment => {
    const type = n === 0 && !said.onto ? 'full' : 'incremental';
    const files = disks.map(([disk, paths]) => ({ disk, path: paths[n] as string, type }) as const);
    return { id: null, checkpoint: null, at: null, files, attachments: [] };
  });
}
