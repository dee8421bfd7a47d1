import { closeSync, openSync, writeSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../ground/run.ts';
import type { Bench, Side } from '../bench.ts';
import { aside, fragmented, settle } from '../images.ts';

type Copying = 'xfs' | 'btrfs';
type How = 'inside' | 'process';

const mappings = [1, 20_000, 100_000] as const;
const many = 100_000;
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
  prepare: () => aside(join(dir, 'clone')),
});

/** What a script would do that has both images already and wants the change to last. */
const renaming = (dir: string): Side => ({
  label: '`mv` of a file onto another, and `sync` of the directory',
  argv: ['sh', '-c', `mv -- ${dir}/new ${dir}/old && sync -- ${dir}`],
  prepare: async () => {
    for (const name of ['image', 'new', 'old']) await copyFile('/dev/null', join(dir, name));
  },
});

const ms = (stdout: string): number => JSON.parse(stdout).ms;
const seen = (how: How, side: Side): Side => (how === 'inside' ? { ...side, told: ms } : side);

/** Starts the volume and writes one block, so that there is something to commit. */
async function dirty(dir: string): Promise<void> {
  await succeed(pool(dir, 'start', 'vm'));
  const fd = openSync(join(dir, 'pool/vm-dirty.img'), 'r+');
  writeSync(fd, Buffer.alloc(4096, Date.now()), 0, 4096, 0);
  closeSync(fd);
}

const committing = (dir: string, count: number): Side => ({
  label: `commit of an image of ${count} mappings`,
  argv: pool(dir, 'stop', 'vm', '--no-prepare', '-o', 'json'),
  prepare: () => dirty(dir),
});

const reverting = (dir: string, count: number): Side => ({
  label: `revert to the state before, an image of ${count} mappings`,
  argv: pool(dir, 'revert', 'vm', '-o', 'json'),
  prepare: () => settle(dir),
});

const verbs = { stop: committing, revert: reverting };

interface Subject {
  verb: keyof typeof verbs;
  filesystem: Copying;
  how: How;
  count: number;
}

const against = (
  { verb, filesystem, how, count }: Subject,
  [what, theirs, reach]: readonly [string, (dir: string) => Side, number],
): Bench => ({
  name: `reflink-pool ${verb}, ${filesystem}, ${how}, ${count} mappings, ${what}`,
  needs: ['root', filesystem],
  space: 16 * gibibyte,
  rounds: count === many ? 3 : 5,
  reach,
  setup: async (dir) => {
    await poolWith(dir, 2 * gibibyte, count);
    await dirty(dir);
    await succeed(pool(dir, 'stop', 'vm', '--no-prepare'));
    return { ours: seen(how, verbs[verb](dir, count)), theirs: theirs(dir) };
  },
});

/** What a commit or a revert must reach inside: a part of what one clone takes. */
const reach: Record<Copying, Record<(typeof mappings)[number], number>> = {
  xfs: { 1: 3, 20000: 1 / 100, 100000: 1 / 500 },
  btrfs: { 1: 3, 20000: 1 / 3, 100000: 1 / 8 },
};

const changing = (['stop', 'revert'] as const).flatMap((verb) =>
  (['xfs', 'btrfs'] as const).flatMap((filesystem) => [
    ...mappings.map((count) =>
      against({ verb, filesystem, how: 'inside', count }, ['clone', cloning, reach[filesystem][count]]),
    ),
    against({ verb, filesystem, how: 'process', count: many }, [
      'clone',
      cloning,
      filesystem === 'xfs' ? 1 / 10 : 1 / 3,
    ]),
    against({ verb, filesystem, how: 'inside', count: many }, ['rename', renaming, 5]),
  ]),
);

interface Starting {
  how: How;
  count: number;
  prepared?: boolean;
}

const start = ({ how, count, prepared = false }: Starting): Bench => ({
  name: `reflink-pool start${prepared ? ', prepared' : ''}, xfs, ${how}, ${count} mappings`,
  needs: ['root', 'xfs'],
  space: 32 * gibibyte,
  rounds: count === many ? 3 : 5,
  reach: prepared ? 1 / 100 : 1.2,
  setup: async (dir) => {
    await poolWith(dir, 20 * gibibyte, count);
    const side: Side = {
      label: `start of a 20 GiB image${prepared ? ' whose clone was made ahead' : ''}`,
      argv: pool(dir, 'start', 'vm', '-o', 'json'),
      prepare: async () => {
        await succeed(pool(dir, 'stop', 'vm', '--discard', '--confirm=vm'));
        if (prepared) await succeed(pool(dir, 'start', 'vm', '--prepare'));
        await settle(dir);
      },
    };
    return { ours: seen(how, side), theirs: cloning(dir) };
  },
});

export const benches: readonly Bench[] = [
  ...changing,
  start({ how: 'inside', count: 1 }),
  start({ how: 'inside', count: many }),
  start({ how: 'process', count: many }),
  start({ how: 'inside', count: many, prepared: true }),
  start({ how: 'process', count: many, prepared: true }),
];
