import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Material } from '../../packages/backup-chain/test-root/oadp.ts';
import { tempFolder } from '../ground/folder.ts';
import { attach } from '../ground/loops.ts';
import { needs } from '../ground/needs.ts';
import { Stage } from './stage.ts';

/** A block device of 2 MiB in the stage's folder that holds something else. */
async function device(stage: Stage, name: string) {
  await writeFile(join(stage.folder, name), Buffer.alloc(2 ** 21, 0x77));
  return attach(join(stage.folder, name));
}

needs(
  'root',
  'loop',
  'qemu-img',
  'qemu-io',
)('a tree of OADP', () => {
  it('becomes sets that are restored to devices, and a script that restores one without us', async () => {
    await using folder = await tempFolder();
    const material = new Material();
    try {
      const stage = new Stage(folder.path, () => {});
      await mkdir(join(folder.path, 'repo'));
      await stage.quietly(`cp -r ${material.tree()} bsl && backup-chain init --repo repo`);
      for (const [disk, states] of material.states)
        await writeFile(join(folder.path, disk), states.at(-1) as Uint8Array);
      await stage.sh('backup-chain validate --oadp bsl', { says: /ok {3}shop\/web {2}3 checkpoints, 2 disks/ });
      const said = await stage.sh('backup-chain import --repo repo --oadp bsl --vm shop/web');
      expect(said).toBe(
        'shop/web@cp-001, cp-002, cp-003  3 sets, 2 disks, 6 points; chain names proven, content trusted on first use\n',
      );
      await stage.quietly('rm -r bsl');
      await using data = await device(stage, 'data.img');
      await using log = await device(stage, 'log.img');
      const goals = `--to data-disk=${data.device} --to log-disk=${log.device}`;
      await stage.sh(`backup-chain restore --repo repo shop/web@cp-003 ${goals}`);
      await stage.quietly(`cmp ${data.device} data-disk && cmp ${log.device} log-disk`);
      await stage.quietly(`dd if=/dev/zero of=${log.device} bs=1M count=2 conv=fsync status=none`);
      await stage.sh(
        `backup-chain restore --repo repo shop/web/log-disk@cp-003 --to ${log.device} --plan=sh > back.sh`,
      );
      await stage.quietly(`sh back.sh && cmp ${log.device} log-disk`);
      await stage.sh('mkdir out && backup-chain export --repo repo shop/web@cp-003 --oadp out --backup again');
      await stage.sh('mkdir other && backup-chain init --repo other && backup-chain import --repo other --oadp out', {
        says: /shop\/web@cp-001, cp-002, cp-003 {2}3 sets, 2 disks, 6 points/,
      });
      await stage.quietly('backup-chain restore --repo other shop/web/data-disk@cp-003 --file --to back');
      await stage.quietly('cmp back data-disk');
    } finally {
      material.dispose();
    }
  });
});
