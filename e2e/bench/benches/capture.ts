import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../ground/run.ts';
import { strace } from '../../ground/strace.ts';
import type { Bench } from '../bench.ts';
import { scatter } from '../images.ts';
import { again, Backups, Chain, mebibyte } from '../repository.ts';

const disk = 4096 * mebibyte;
const changed = Math.round(disk / 100 / 65_536);

/** Bytes that the reads of a traced program gave from one file; strace -y writes the file behind each descriptor. */
export const readFrom = (calls: readonly string[], path: string): number =>
  calls
    .filter((call) => /^(pread64|preadv2?|read|readv)\(\d+</.test(call) && call.includes(`<${path}>`))
    .reduce((sum, call) => sum + Math.max(0, Number(/= (-?\d+)/.exec(call)?.[1] ?? 0)), 0);

async function empty(repo: string): Promise<void> {
  await rm(repo, { recursive: true, force: true });
  await mkdir(repo);
  await succeed(['backup-chain', 'init', '--repo', repo]);
}

async function bytesRead(argv: readonly string[], stdin: string, path: string): Promise<number> {
  const { calls, code, stderr } = await strace(argv, {
    stdin,
    trace: 'read,pread64,readv,preadv,preadv2',
    timeout: 300_000,
  });
  if (code !== 0) throw new Error(stderr);
  return readFrom(calls, path);
}

const whole = 1024 * mebibyte;

export const benches: readonly Bench[] = [
  {
    name: 'backup-chain capture, by comparing',
    needs: ['root', 'xfs'],
    space: 8 * whole,
    rounds: 5,
    reach: 1.3,
    setup: async (dir) => {
      const chain = new Chain(dir);
      await chain.make(1, { data: whole });
      let round = 0;
      const prepare = async () => void scatter(chain.image, 160, { span: whole, shift: ++round });
      return {
        ours: {
          label: 'incremental of 1 GiB of data, all of it read, 1 % changed',
          argv: chain.byComparing(),
          prepare,
        },
        theirs: { label: '`sha256sum` of the same disk', argv: ['sha256sum', chain.image] },
      };
    },
  },
  {
    name: 'backup-chain capture, 1 % changed',
    needs: ['root', 'xfs', 'strace'],
    space: 32 * 1024 * mebibyte,
    rounds: 3,
    reach: 0.05,
    setup: async (dir) => {
      const backups = new Backups(dir);
      await backups.make(disk, disk / 2);
      await succeed(backups.full());
      const diff = await backups.change(changed, { span: disk / 2 });
      const [one, two] = [join(dir, 'incremental'), join(dir, 'full')];
      const prepare = () => again(backups.repo, one);
      return {
        ours: { label: 'incremental of 1 % of 4 GiB', argv: backups.incremental(one), stdin: diff, prepare },
        theirs: { label: 'full of the same disk, half of it data', argv: backups.full(two), prepare: () => empty(two) },
        also: async () => {
          await prepare();
          const read = await bytesRead(backups.incremental(one), diff, backups.head);
          return { 'bytes read / bytes changed': read / (changed * 65_536) };
        },
      };
    },
  },
];
