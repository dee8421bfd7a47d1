import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../ground/filesystem.ts';
import { needs } from '../ground/needs.ts';
import { Stage } from './stage.ts';

/** A stage on a filesystem of its own, with a pool in its folder `pool`. */
async function onPool(filesystem: 'xfs' | 'btrfs', tale: (stage: Stage) => Promise<void>): Promise<void> {
  await using folder = await mounted(filesystem, 2 ** 31);
  const stage = new Stage(join(folder.path, 'stage'), () => {});
  await mkdir(join(stage.folder, 'pool'), { recursive: true });
  await stage.sh('reflink-pool --pool pool init --reserve 0');
  await tale(stage);
}

const fill = (letter: string, file: string, kib = 1024) => `head -c ${kib}K /dev/zero | tr '\\0' ${letter} > ${file}`;
const write = (letter: string, file: string, blockAt: number) =>
  `head -c 4096 /dev/zero | tr '\\0' ${letter} | dd of=${file} bs=4096 seek=${blockAt} conv=notrunc,fsync status=none`;

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`reflink-pool on ${filesystem}`, () => {
    it('tries an upgrade, keeps what broke beside, and goes on clean', () =>
      onPool(filesystem, async (stage) => {
        await stage.quietly(fill('G', 'good.raw'));
        await stage.sh('reflink-pool --pool pool import dev/root good.raw --create', { says: /imported {2}1 MiB/ });
        await stage.sh('reflink-pool --pool pool start dev/root', { says: /dev\/root-dirty\.img/ });
        await stage.quietly(write('B', 'pool/dev/root-dirty.img', 7));
        await stage.sh('reflink-pool --pool pool stop dev/root --discard --label broken', {
          says: /saved {2}as dev\/root@2/,
        });
        await stage.sh('reflink-pool --pool pool start dev/root');
        await stage.quietly('cmp pool/dev/root-dirty.img good.raw');
        await stage.sh('reflink-pool --pool pool diff dev/root@broken dev/root --align 4096', {
          says: /^28672 4096$/m,
        });
        await stage.sh('reflink-pool --pool pool stop dev/root', { says: /unchanged/ });
        await stage.sh('reflink-pool --pool pool revert dev/root@broken', { says: /undo {2}reflink-pool revert/ });
        await stage.quietly('cmp pool/dev/root.img good.raw', { exit: 1 });
        await stage.sh('reflink-pool --pool pool revert dev/root@1', { says: /is dev\/root@1 again/ });
        await stage.quietly('cmp pool/dev/root.img good.raw');
      }));

    it('hands nightly sets of a running machine to backup-chain, which restores each', () =>
      onPool(filesystem, async (stage) => {
        const disks = ['root', 'data'];
        for (const disk of disks) {
          await stage.quietly(fill('A', `${disk}.raw`));
          await stage.sh(`reflink-pool --pool pool import db/${disk} ${disk}.raw --create`);
        }
        await stage.sh('reflink-pool --pool pool start db/');
        const hook = `#!/bin/sh
echo "$1" >> ${stage.folder}/frozen
`;
        await writeFile(join(stage.folder, 'hook'), hook, { mode: 0o755 });
        const night = async (n: number) => {
          for (const [at, disk] of disks.entries())
            await stage.quietly(write(String(n), `pool/db/${disk}-dirty.img`, 3 * n + at));
          await stage.sh(`reflink-pool --pool pool snapshot db/ --set nightly-${n} --hook $PWD/hook --max-pause 30s`, {
            says: new RegExp(`^set nightly-${n} {2}frozen {2}paused `, 'm'),
          });
        };
        await night(1);
        await stage.sh('mkdir repo && backup-chain init --repo repo');
        await stage.sh(
          'reflink-pool --pool pool show db/data@nightly-1 -o json | backup-chain capture - --repo repo --vm db',
        );
        await stage.sh('reflink-pool --pool pool pin db/data@nightly-1 --owner backup-chain', {
          says: /pinned by backup-chain/,
        });
        await night(2);
        await stage.sh(
          'reflink-pool --pool pool diff db/data@nightly-1 db/data@nightly-2 -o json | backup-chain capture - --repo repo --vm db',
          { says: /incremental/ },
        );
        await stage.sh('reflink-pool --pool pool pin db/data@nightly-2 --owner backup-chain');
        await stage.sh('reflink-pool --pool pool pin db/data@nightly-1 --owner backup-chain --release');
        const path = await stage.quietly('reflink-pool --pool pool export db/data@nightly-2 -o name');
        await stage.sh('backup-chain restore --repo repo default/db/data@latest --file --to restored.raw');
        await stage.quietly(`cmp restored.raw ${path}`);
        await stage.sh('reflink-pool --pool pool list -o json | reflink-pool --pool pool pin - --owner audit');
        const pinned = await stage.quietly('reflink-pool --pool pool list --revisions');
        expect(pinned.match(/pinned by .*audit/g)).toHaveLength(disks.length);
        expect(await stage.quietly('cat frozen')).toBe('freeze\nthaw\nfreeze\nthaw\n');
        await stage.sh('reflink-pool --pool pool stop db/', { says: /committed/ });
      }));
  });
