import { tools } from '../../house/tools.ts';
import type { Bench } from '../bench.ts';

const startUp = (tool: string, flag: string): Bench => ({
  name: `start-up ${tool} ${flag}`,
  needs: [],
  rounds: 20,
  reach: 1.3,
  setup: () => ({
    ours: { label: `\`${tool} ${flag}\``, argv: [tool, flag] },
    theirs: { label: '`node -e 0`', argv: ['node', '-e', '0'] },
  }),
});

export const benches: readonly Bench[] = tools.flatMap((tool) =>
  ['--help', '--version'].map((flag) => startUp(tool, flag)),
);
