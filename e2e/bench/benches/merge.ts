import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../ground/run.ts';
import type { Bench, Material, Side } from '../bench.ts';
import { again, Chain, long, mebibyte } from '../repository.ts';

const ground = { needs: ['root', 'xfs', 'qemu-img'] as const, space: 16 * 1024 * mebibyte };
const increments = 200;
/** A twentieth of the clusters that hold data. */
const large: Material = { ...ground, make: (dir) => new Chain(dir).make(2, { clusters: 410 }) };

/** Merges a run of points of a copy of the repository in which only the last set is left. */
function merging(dir: string, [from, to]: readonly [number, number], label: string): Side {
  const chain = new Chain(dir);
  const [repo, ids] = [join(dir, 'merged'), Array.from({ length: to }, (_, n) => chain.id(n + 1))];
  const prepare = async () => {
    await again(chain.repo, repo);
    for (const id of ids.slice(0, -1)) await rm(join(repo, `vms/default/web/sets/${id}.json`));
    await succeed(['sync', '-f', '--', repo]);
  };
  const run = `default/web/data@${ids[from - 1]}..${ids[to - 1]}`;
  return { label, argv: ['backup-chain', 'merge', run, '--repo', repo], prepare };
}

/** A line of the shell that ends with its file on the disk. */
const flushed = (label: string, line: string, file: string): Side => ({
  label,
  argv: ['sh', '-euc', `${line} '${file}'; sync '${file}'`],
});

export const benches: readonly Bench[] = [
  {
    name: 'backup-chain merge, 200 increments',
    needs: ground.needs,
    rounds: 5,
    reach: 0.1,
    on: long,
    setup: async (dir) => {
      const copies = join(dir, 'rebased');
      const leaf = await new Chain(dir).rebased(copies, increments + 1);
      const [kept, full] = [`${leaf}-kept`, join(copies, '0.qcow2')];
      await succeed(['cp', '--reflink=always', '--', leaf, kept]);
      const prepare = async () => void (await succeed(['cp', '--reflink=always', '--', kept, leaf]));
      const line = `qemu-img rebase -f qcow2 -F qcow2 -b '${full}'`;
      return {
        ours: merging(dir, [2, increments + 1], 'merge of 200 increments, 32 clusters in each'),
        theirs: { ...flushed('safe `qemu-img rebase` of the last onto the full', line, leaf), prepare },
      };
    },
  },
  {
    name: 'backup-chain merge, fold of 5 %',
    needs: ground.needs,
    rounds: 5,
    reach: 0.25,
    on: large,
    setup: async (dir) => {
      const chain = new Chain(dir);
      const file = join(dir, 'converted.qcow2');
      const prepare = () => rm(file, { force: true });
      const line = `qemu-img convert -W -m 16 -O qcow2 '${chain.graph(2)}'`;
      return {
        ours: merging(dir, [1, 2], 'fold of an increment into its full, 512 MiB, by reflink'),
        theirs: { ...flushed('`qemu-img convert -m 16 -W` of the chain', line, file), prepare },
      };
    },
  },
];
