import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../ground/run.ts';
import type { Bench } from '../bench.ts';
import { aside, fragmented, settle } from '../images.ts';

const gibibyte = 2 ** 30;
const block = 4096;

/** What the pool predicts, after it measured itself: printed by a process that does nothing else. */
const prediction = async (pool: string): Promise<number> => {
  const [frag] = (await succeed(['reflink-pool', 'frag', 'vm', '--pool', pool, '-o', 'json'])).split('\n');
  return JSON.parse(frag ?? '').predictedMs;
};

const predicted = (filesystem: 'xfs' | 'btrfs', mappings: number): Bench => ({
  name: `reflink-pool prediction, ${filesystem}, ${mappings} mappings`,
  needs: ['root', filesystem],
  space: 16 * gibibyte,
  rounds: 3,
  reach: 2,
  least: 0.5,
  setup: async (dir) => {
    const [pool, image] = [join(dir, 'pool'), join(dir, 'image')];
    await mkdir(pool);
    fragmented(image, mappings * 3 * block, mappings);
    await succeed(['reflink-pool', 'init', '--reserve', '0', '--prepare', 'never', '--pool', pool]);
    await succeed(['reflink-pool', 'import', 'vm', image, '--create', '--share', '--pool', pool]);
    await succeed(['sync', '-f', dir]);
    await succeed(['reflink-pool', 'probe', '--calibrate', '--save', '--pool', pool]);
    await settle(dir);
    const ms = await prediction(pool);
    const clone = join(dir, 'clone');
    return {
      ours: { label: 'the clone that was predicted', argv: ['true'], told: () => ms },
      theirs: {
        label: '`cp --reflink=always` of the image',
        argv: ['cp', '--reflink=always', '--preserve=timestamps', '--', join(pool, 'vm.img'), clone],
        prepare: () => aside(clone),
      },
      also: async () => ({ 'predicted ms': ms, mappings, 'left by the probe': (await readdir(pool)).length - 2 }),
    };
  },
});

export const benches: readonly Bench[] = (['xfs', 'btrfs'] as const).flatMap((filesystem) =>
  [1, 2000, 20_000, 100_000, 200_000].map((mappings) => predicted(filesystem, mappings)),
);
