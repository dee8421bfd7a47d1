import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../ground/run.ts';
import { tools } from '../../house/tools.ts';
import type { Bench, Side } from '../bench.ts';

const bare: Side = { label: '`node -e 0`', argv: ['node', '-e', '0'] };

const flag = (tool: string, word: string): Bench => ({
  name: `start-up ${tool} ${word}`,
  needs: [],
  rounds: 20,
  reach: 1.3,
  setup: () => ({ ours: { label: `\`${tool} ${word}\``, argv: [tool, word] }, theirs: bare }),
});

/** A verb that needs no host program, on what `make` leaves in the bench's folder. */
const verb = (argv: (dir: string) => string[], make: (dir: string) => Promise<unknown>): Bench => {
  const shown = argv('DIR').join(' ');
  return {
    name: `start-up ${shown}`,
    needs: ['qemu-img'],
    rounds: 20,
    reach: 2,
    setup: async (dir) => {
      await make(dir);
      return { ours: { label: `\`${shown}\``, argv: argv(dir) }, theirs: bare };
    },
  };
};

export const benches: readonly Bench[] = [
  ...tools.flatMap((tool) => ['--help', '--version'].map((word) => flag(tool, word))),
  verb(
    (dir) => ['disk-tools', 'inspect', `${dir}/disk.qcow2`],
    (dir) => succeed(['qemu-img', 'create', '-f', 'qcow2', join(dir, 'disk.qcow2'), '10G']),
  ),
  verb(
    (dir) => ['manifest-stager', 'list', '--root', dir],
    (dir) => mkdir(join(dir, 'var/lib/y-cluster/manifests-staging'), { recursive: true }),
  ),
  verb(
    (dir) => ['lifetime-reaper', 'status', '--leases', dir],
    async () => {},
  ),
];
