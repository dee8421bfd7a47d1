import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../ground/run.ts';
import type { Bench, Side } from '../bench.ts';
import { fragmented } from '../images.ts';

type Copying = 'xfs' | 'btrfs';

const mappings = 100_000;
const gibibyte = 2 ** 30;

/** Words of reflink-pool on the pool of a bench's folder. */
const pool = (dir: string, ...words: string[]): string[] => ['reflink-pool', ...words, '--pool', join(dir, 'pool')];

async function poolWith(dir: string, size: number, count: number): Promise<void> {
  const image = join(dir, 'image');
  await mkdir(join(dir, 'pool'));
  fragmented(image, size, count);
  await succeed(pool(dir, 'init', '--prepare', 'never'));
  await succeed(pool(dir, 'import', 'vm', image, '--create', '--format', 'raw', '--share'));
}

const cloning = (dir: string): Side => ({
  label: '`cp --reflink=always` of the image',
  argv: ['cp', '--reflink=always', join(dir, 'pool/vm.img'), join(dir, 'clone')],
  prepare: () => rm(join(dir, 'clone'), { force: true }),
});

const ms = (stdout: string): number => JSON.parse(stdout).ms;

/** Starts the volume and writes one block, so that there is something to commit. */
async function dirty(dir: string): Promise<void> {
  await succeed(pool(dir, 'start', 'vm'));
  const fd = openSync(join(dir, 'pool/vm-dirty.img'), 'r+');
  writeSync(fd, Buffer.alloc(4096, Date.now()), 0, 4096, 0);
  closeSync(fd);
}

const stop = (filesystem: Copying, how: 'inside' | 'process', reach: number): Bench => ({
  name: `reflink-pool stop, ${filesystem}, ${how}`,
  needs: ['root', filesystem],
  space: 16 * gibibyte,
  rounds: 7,
  reach,
  setup: async (dir) => {
    await poolWith(dir, 2 * gibibyte, mappings);
    const argv = pool(dir, 'stop', 'vm', '--no-prepare', '-o', 'json');
    const label = `commit of an image of ${mappings} mappings`;
    const side: Side = { label, argv, prepare: () => dirty(dir) };
    return { ours: how === 'inside' ? { ...side, told: ms } : side, theirs: cloning(dir) };
  },
});

const start = (how: 'inside' | 'process', count: number): Bench => ({
  name: `reflink-pool start, xfs, ${how}, ${count} mappings`,
  needs: ['root', 'xfs'],
  space: 32 * gibibyte,
  rounds: 7,
  reach: 1.2,
  setup: async (dir) => {
    await poolWith(dir, 20 * gibibyte, count);
    const discard = pool(dir, 'stop', 'vm', '--discard', '--confirm=vm');
    const argv = pool(dir, 'start', 'vm', '-o', 'json');
    const side: Side = { label: 'start of a 20 GiB image', argv, prepare: async () => void (await succeed(discard)) };
    return { ours: how === 'inside' ? { ...side, told: ms } : side, theirs: cloning(dir) };
  },
});

export const benches: readonly Bench[] = [
  stop('xfs', 'inside', 1 / 500),
  stop('xfs', 'process', 1 / 10),
  stop('btrfs', 'inside', 1 / 8),
  stop('btrfs', 'process', 1 / 3),
  start('inside', 1),
  start('inside', mappings),
  start('process', mappings),
];
