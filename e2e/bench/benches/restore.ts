import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { attach, type LoopDevice } from '../../ground/loops.ts';
import { succeed } from '../../ground/run.ts';
import type { Bench, Material, Side } from '../bench.ts';
import { Chain, long, mebibyte } from '../repository.ts';

const disk = 1024 * mebibyte;

/** A device to restore to, whose file has all its blocks already. */
async function target(dir: string): Promise<LoopDevice> {
  const file = join(dir, 'target');
  rmSync(file, { force: true });
  await succeed(['fallocate', '-l', `${disk}`, '--', file]);
  return attach(file, { directIo: true });
}

/** Restores the point that has so many links, to a device whose content may go. */
function restore(chain: Chain, { device }: LoopDevice, [links, check]: readonly [number, 'data' | 'none']): Side {
  const flags = ['--repo', chain.repo, '--to', device, `--confirm=${device}`, '--verify', 'none', '--check', check];
  const label = `restore of 1 GiB, half of it data, to a loop device: ${links} links${check === 'none' ? ', unchecked' : ''}`;
  return { label, argv: ['backup-chain', 'restore', `web/data@${chain.id(links)}`, ...flags] };
}

const convert = ['qemu-img', 'convert', '-n', '-t', 'none', '-T', 'writeback', '-m', '16', '-W', '-O', 'raw'];

const byQemu = (label: string, { device }: LoopDevice, from: readonly string[]): Side => ({
  label: `\`qemu-img convert -n -t none -m 16 -W\` of ${label}`,
  argv: [...convert, ...from, device],
});

/** The same from copies that stand on each other. */
const rebased = async (chain: Chain, loop: LoopDevice, links: number): Promise<Side> =>
  byQemu('rebased copies', loop, ['-f', 'qcow2', await chain.rebased(join(chain.repo, `../rebased-${links}`), links)]);

type Theirs = (chain: Chain, loop: LoopDevice) => Promise<Side> | Side;

/** The repository of ten such links: a restore reads the manifests of all that are there. */
const short: Material = { ...long, make: (dir) => new Chain(dir).make(10) };

interface Figures {
  rounds: number;
  reach: number;
  on?: Material;
}

const bench = (name: string, { rounds, reach, on = long }: Figures, sides: [Side | Theirs, Theirs]): Bench => ({
  name: `backup-chain restore, ${name}`,
  needs: ['root', 'xfs', 'qemu-img'],
  rounds,
  reach,
  on,
  setup: async (dir) => {
    const [chain, loop] = [new Chain(dir), await target(dir)];
    const [ours, theirs] = sides.map((side) => (typeof side === 'function' ? side(chain, loop) : side));
    return {
      ours: (await ours) as Side,
      theirs: (await theirs) as Side,
      end: () => loop[Symbol.asyncDispose](),
    };
  },
});

const against = (links: number, check: 'data' | 'none', figures: Figures): Bench =>
  bench(`${links} ${links === 1 ? 'link' : 'links'}${check === 'none' ? ', unchecked' : ''}`, figures, [
    (chain, loop) => restore(chain, loop, [links, check]),
    (chain, loop) => rebased(chain, loop, links),
  ]);

const reach = 1 / 0.95;

export const benches: readonly Bench[] = [
  against(1, 'data', { rounds: 9, reach, on: short }),
  against(1, 'none', { rounds: 9, reach, on: short }),
  against(10, 'data', { rounds: 7, reach: 1.75, on: short }),
  against(100, 'data', { rounds: 5, reach: 0.5 }),
  against(401, 'data', { rounds: 3, reach: 1 / 16 }),
  bench('401 links, graph', { rounds: 1, reach: 1 / 16 }, [
    (chain, loop) => restore(chain, loop, [401, 'data']),
    (chain, loop) => byQemu('one json: graph', loop, [chain.graph(401)]),
  ]),
  bench('401 links to 1', { rounds: 7, reach: 3 }, [
    (chain, loop) => restore(chain, loop, [401, 'data']),
    (chain, loop) => restore(chain, loop, [1, 'data']),
  ]),
];
