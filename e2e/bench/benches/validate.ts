import type { Bench } from '../bench.ts';
import { Chain, long } from '../repository.ts';

const validate = ({ repo, id }: Chain, links: number, ...flags: string[]): string[] => [
  'backup-chain',
  'validate',
  `web/data@${id(links)}`,
  '--repo',
  repo,
  ...flags,
];

/** Every byte of a chain is read and hashed, its tables are walked, and QEMU is asked about each file. */
const deep = (links: number): Bench => ({
  name: `backup-chain validate, deep, ${links} ${links === 1 ? 'link' : 'links'}`,
  needs: ['qemu-img'],
  rounds: 5,
  reach: 1 / 0.8,
  on: long,
  setup: (dir) => {
    const chain = new Chain(dir);
    const files = chain.files().slice(0, links);
    return {
      ours: {
        label: 'every byte of a chain of 1 GiB, half of it data',
        argv: validate(chain, links, '--level', 'deep'),
      },
      theirs: { label: '`sha256sum` of its files', argv: ['sha256sum', '--', ...files] },
    };
  },
});

export const benches: readonly Bench[] = [
  {
    name: 'backup-chain validate, fast, 401 links',
    needs: [],
    rounds: 7,
    reach: 1,
    on: long,
    setup: (dir) => ({
      ours: { label: 'a chain proven without reading its data', argv: validate(new Chain(dir), 401) },
      theirs: { label: 'bare node and the 2 s asked', argv: [process.execPath, '-e', 'setTimeout(() => {}, 2000)'] },
    }),
  },
  deep(1),
  deep(401),
];
