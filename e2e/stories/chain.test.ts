import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../ground/filesystem.ts';
import { needs } from '../ground/needs.ts';
import { Stage } from './stage.ts';

/** A stage with an empty repository in its folder `repo`, which lies on XFS. */
async function withRepository(tale: (stage: Stage) => Promise<void>): Promise<void> {
  await using folder = await mounted('xfs', 2 ** 30);
  const stage = new Stage(join(folder.path, 'stage'), () => {});
  await mkdir(join(stage.folder, 'repo'), { recursive: true });
  await stage.sh('backup-chain init --repo repo');
  await tale(stage);
}

const at = (day: number) => `2026-01-${String(day).padStart(2, '0')}T02:00:00Z`;
const days = Array.from({ length: 12 }, (_, n) => n + 1);
const fill = (letter: string, file: string) => `head -c 256K /dev/zero | tr '\\0' ${letter} > ${file}`;

needs(
  'root',
  'loop',
  'xfs',
)('backup-chain', () => {
  it('captures twelve nights, keeps four, proves one, and restores every night it kept', () =>
    withRepository(async (stage) => {
      await stage.quietly('truncate -s 16M disk.raw && mkfs.ext4 -q disk.raw && mkdir nights');
      for (const day of days) {
        await stage.quietly(`seq ${day}00 ${day}99 > note && debugfs -w -R 'write note day-${day}' disk.raw`);
        await stage.sh(`backup-chain capture --repo repo --vm db data=disk.raw --format raw --at ${at(day)}`, {
          says: day === 1 ? /full/ : /incremental/,
        });
        await stage.quietly(`cp --reflink=always disk.raw nights/${day}.raw`);
      }
      await stage.sh('backup-chain prune --repo repo --keep-last 3 --keep-weekly 3', { says: /keep 4 of 12 sets/ });
      const kept = (await stage.quietly('backup-chain list --repo repo -o name')).trim().split('\n');
      expect(kept).toHaveLength(4);
      await stage.sh('backup-chain validate --repo repo --level deep', { says: /^ok/ });
      for (const [n, day] of [4, 10, 11, 12].entries()) {
        const address = kept[n]?.replace('@', '/data@') ?? '';
        await stage.quietly(`backup-chain restore --repo repo ${address} --file --to ${day}.raw`);
        await stage.quietly(`cmp ${day}.raw nights/${day}.raw`);
      }
      await stage.sh('backup-chain drill --repo repo --pick oldest --into .', { says: /content equal.*ext4/ });
      await stage.sh('backup-chain show --repo repo default/db/data@latest', { says: /layers/ });
      await stage.sh('backup-chain trash list --repo repo', { says: /merge|fold/ });
      await stage.sh('backup-chain trash purge --repo repo --older-than 0s');
      expect(await stage.quietly('backup-chain trash list --repo repo')).toBe('');
      await stage.sh('backup-chain validate --repo repo --level deep', { says: /^ok/ });
    }));

  it('holds disks that came later and disks that did not change in one set, and restores it', () =>
    withRepository(async (stage) => {
      const capture = 'backup-chain capture --repo repo --vm shop/web --format raw';
      await stage.quietly(`${fill('R', 'root.raw')}; ${fill('D', 'data.raw')}`);
      await stage.sh(`${capture} root=root.raw data=data.raw`, { says: /set of 2/ });
      await stage.quietly(`${fill('L', 'logs.raw')}; ${fill('E', 'data.raw')}`);
      const said = await stage.sh(`${capture} root=root.raw data=data.raw logs=logs.raw`, { says: /set of 3/ });
      expect(said).toMatch(/root {2}unchanged/);
      expect(said).toMatch(/data {2}incremental/);
      expect(said).toMatch(/logs {2}full/);
      const goals = ['root', 'data', 'logs'].map((disk) => `--to ${disk}=${disk}.back`).join(' ');
      await stage.sh(`backup-chain restore --repo repo shop/web@latest --file ${goals}`);
      for (const disk of ['root', 'data', 'logs']) await stage.quietly(`cmp ${disk}.raw ${disk}.back`);
    }));

  it('serves a point to qemu-img, and its flat image is the same disk', () =>
    withRepository(async (stage) => {
      await stage.quietly(fill('S', 'disk.raw'));
      await stage.sh('backup-chain capture --repo repo --vm db data=disk.raw --format raw');
      await stage.sh('backup-chain export --repo repo default/db/data@latest --flat flat.qcow2');
      await stage.quietly('qemu-img check -q flat.qcow2 && qemu-img compare -q -f qcow2 -F raw flat.qcow2 disk.raw');
      await stage.sh('backup-chain verify --repo repo default/db/data@latest --against disk.raw', { says: /equal/ });
      const serving = 'backup-chain serve --repo repo default/db/data@latest --socket nbd.sock -o json > served & p=$!';
      const ready = 'until grep -q uri served; do sleep 0.1; done';
      const reading = 'qemu-img compare -q -f raw -F raw disk.raw "nbd+unix:///data?socket=$PWD/nbd.sock"; code=$?';
      await stage.sh(`${serving}; ${ready}; ${reading}; kill $p; wait $p; exit $code`);
    }));
});
