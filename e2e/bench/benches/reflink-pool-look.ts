import { closeSync, ftruncateSync, openSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../ground/run.ts';
import type { Bench, Side } from '../bench.ts';
import { scatter } from '../images.ts';

const gibibyte = 2 ** 30;
const pool = (dir: string, ...words: string[]): string[] => ['reflink-pool', ...words, '--pool', join(dir, 'pool')];

function image(path: string, mode: number, at = new Date()): void {
  const fd = openSync(path, 'w', mode);
  ftruncateSync(fd, 2 ** 20);
  closeSync(fd);
  utimesSync(path, at, at);
}

/** A pool of `count` volumes with ten revisions each, as adopted from elsewhere and then used. */
async function poolOf(dir: string, count: number): Promise<void> {
  await mkdir(join(dir, 'pool'));
  await succeed(pool(dir, 'init', '--reserve', '0'));
  for (let volume = 0; volume < count; volume += 1) {
    const base = join(dir, `pool/vm${String(volume).padStart(4, '0')}`);
    for (let day = 1; day <= 10; day += 1) {
      const time = `2026-11-${String(day).padStart(2, '0')}T00:00:00Z`;
      image(`${base}.img.${day}@${time}`, 0o400, new Date(time));
    }
    image(`${base}.img`, 0o400);
  }
  await succeed(pool(dir, 'create', 'seed', '--size', '512'));
  const sidecars = join(dir, 'pool/.platter/volumes');
  const known = JSON.parse(readFileSync(join(sidecars, 'seed.json'), 'utf8'));
  for (let volume = 0; volume < count; volume += 1) {
    const name = `vm${String(volume).padStart(4, '0')}`;
    writeFileSync(join(sidecars, `${name}.json`), JSON.stringify({ ...known, name }), { mode: 0o600 });
  }
}

const list: Bench = {
  name: 'reflink-pool list, 1000 volumes of 10 revisions',
  needs: ['root', 'xfs'],
  space: 2 * gibibyte,
  rounds: 15,
  reach: 11,
  setup: async (dir) => {
    await poolOf(dir, 1000);
    const ours: Side = { label: '`reflink-pool list -o json`', argv: pool(dir, 'list', '-o', 'json') };
    return { ours, theirs: { label: '`node -e 0`', argv: ['node', '-e', '0'] } };
  },
};

/** Two states of a disk full of data: the second has other bytes in one block of a hundred. */
async function changed(dir: string): Promise<void> {
  const size = 20 * gibibyte;
  await mkdir(join(dir, 'pool'));
  await succeed(['dd', 'if=/dev/zero', `of=${join(dir, 'image')}`, 'bs=4M', `count=${size / 2 ** 22}`, 'status=none']);
  await succeed(pool(dir, 'init', '--prepare', 'never'));
  await succeed(pool(dir, 'import', 'vm', join(dir, 'image'), '--create', '--format', 'raw', '--share'));
  await succeed(pool(dir, 'start', 'vm'));
  scatter(join(dir, 'pool/vm-dirty.img'), size / 65_536 / 100, { span: size });
  await succeed(pool(dir, 'stop', 'vm', '--no-prepare'));
}

const diff = (filesystem: 'xfs' | 'btrfs'): Bench => ({
  name: `reflink-pool diff, ${filesystem}, two states of 20 GiB, 1 % changed`,
  needs: ['root', filesystem],
  space: 32 * gibibyte,
  rounds: 3,
  reach: 0.03,
  setup: async (dir) => {
    await changed(dir);
    const ours: Side = { label: '`reflink-pool diff`', argv: pool(dir, 'diff', 'vm@1', 'vm', '-o', 'json') };
    const read = ['dd', `if=${join(dir, 'pool/vm.img')}`, 'of=/dev/null', 'bs=1M', 'status=none'];
    return { ours, theirs: { label: 'reading one of them (`dd bs=1M`)', argv: read } };
  },
});

export const benches: readonly Bench[] = [list, diff('xfs'), diff('btrfs')];
