import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { run } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import * as z from 'zod/mini';

/** One partition, in bytes. */
export interface Partition {
  offset: number;
  length: number;
}

const Answer = z.object({
  partitiontable: z.object({
    sectorsize: z._default(z.number(), 512),
    partitions: z._default(z.array(z.object({ start: z.number(), size: z.number(), type: z.string() })), []),
  }),
});

/** Types of the containers of logical partitions, which are listed on their own. */
const containers = ['5', 'f', '85'];

/** The partitions in the JSON of `sfdisk -J`; Failure failed when it is not that. */
export function parsePartitions(stdout: string): Partition[] {
  try {
    const { sectorsize, partitions } = z.parse(Answer, JSON.parse(stdout)).partitiontable;
    const real = partitions.filter(({ type }) => !containers.includes(type.toLowerCase()));
    return real.map(({ start, size }) => ({ offset: start * sectorsize, length: size * sectorsize }));
  } catch (cause) {
    throw new Failure('failed', 'could not tell the partitions: sfdisk printed something else', { cause });
  }
}

/** The partitions of a disk or an image of one. */
export async function partitionsOf(host: Host, path: string): Promise<Partition[]> {
  const program = run('sfdisk', ['-J', '--', path]);
  return parsePartitions(must(program, await host.query(program)).stdout);
}
