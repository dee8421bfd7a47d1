import { basename, join } from 'node:path';
import { attach, type LoopDevice } from '../../ground/loops.ts';
import { succeed } from '../../ground/run.ts';
import type { Bench } from '../bench.ts';
import { Backups, mebibyte } from '../repository.ts';

const disk = 1024 * mebibyte;

/** A device to restore to, whose file has all its blocks already. */
async function target(dir: string): Promise<LoopDevice> {
  const file = join(dir, 'target');
  await succeed(['fallocate', '-l', `${disk}`, '--', file]);
  return attach(file, { directIo: true });
}

interface Chain extends Backups {
  /** The id of its first point. */
  first: string;
}

/** The repository with one full and `links` - 1 increments of 32 clusters. */
async function chain(dir: string, links: number): Promise<Chain> {
  const backups = new Backups(dir);
  await backups.make(disk, disk / 2);
  await succeed(backups.full());
  const first = basename(backups.files()[0] ?? '').replace(/\.\d+\.qcow2$/, '');
  for (let link = 1; link < links; link++) {
    await backups.capture(await backups.change(32, { span: disk / 2, shift: link * 7 }));
  }
  return Object.assign(backups, { first });
}

/** The argv that restores a point to a device whose content may go. */
const restore = ({ repo }: Backups, { device }: LoopDevice, at = 'latest'): string[] => {
  const flags = ['--repo', repo, '--to', device, `--confirm=${device}`, '--verify', 'none'];
  return ['backup-chain', 'restore', `web/data@${at}`, ...flags];
};

const convert = [
  'qemu-img',
  'convert',
  '-n',
  '-t',
  'none',
  '-T',
  'writeback',
  '-m',
  '16',
  '-W',
  '-f',
  'qcow2',
  '-O',
  'raw',
];

export const benches: readonly Bench[] = [
  {
    name: 'backup-chain restore, 1 link',
    needs: ['root', 'xfs', 'qemu-img'],
    space: 8 * 1024 * mebibyte,
    rounds: 9,
    reach: 1 / 0.95,
    setup: async (dir) => {
      const [backups, loop] = [await chain(dir, 1), await target(dir)];
      const theirs = [...convert, ...backups.files(), loop.device];
      return {
        ours: { label: 'restore of 1 GiB, half of it data, to a loop device', argv: restore(backups, loop) },
        theirs: { label: '`qemu-img convert -n -t none -m 16 -W`', argv: theirs },
        end: () => loop[Symbol.asyncDispose](),
      };
    },
  },
  {
    name: 'backup-chain restore, 100 links',
    needs: ['root', 'xfs'],
    space: 8 * 1024 * mebibyte,
    rounds: 5,
    reach: 2.5,
    setup: async (dir) => {
      const [backups, loop] = [await chain(dir, 100), await target(dir)];
      return {
        ours: { label: 'restore of the 100th link, 32 clusters in each', argv: restore(backups, loop) },
        theirs: { label: 'restore of the 1st', argv: restore(backups, loop, backups.first) },
        end: () => loop[Symbol.asyncDispose](),
      };
    },
  },
];
