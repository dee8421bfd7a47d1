import { attach } from '../ground/loops.ts';
import { debugging, type FileAccess, makeFiles, mounting } from './disk.ts';
import type { Stage } from './stage.ts';

export interface Ground {
  /** Loop devices and mounts can be made. */
  root: boolean;
  /** The pool's folder lies on a filesystem that shares extents. */
  reflink: boolean;
}

/**
 * Keep the data, change the machine; try it, undo it, prove it could be restored; stop paying for what nobody uses: one
 * disk's way through all six tools. `pool` is a directory below the stage's folder. Anything not as told throws.
 */
export async function story(stage: Stage, { root, reflink }: Ground): Promise<void> {
  const files = root ? mounting(stage) : debugging(stage);
  await makeFiles(stage, root ? 96 : 16);
  await labelledDisk(stage);
  await intoPool(stage, reflink);
  await committed(stage, files);
  await captured(stage);
  await changed(stage, files, reflink);
  await damaged(stage);
  await lost(stage, files, root);
  await reverted(stage, files);
  if (root) await served(stage);
  else stage.leaveOut('A volume group from two files', 'LVM and loop devices need root');
  await staged(stage);
  await expired(stage);
}

const labelledDisk = (stage: Stage) =>
  stage.step('A labelled data disk', async () => {
    await stage.sh('disk-tools ensure data.raw --format raw --size 256M', { says: /created/ });
    await stage.sh('disk-tools ensure data.raw --format raw --size 256M', { says: /kept/ });
    await stage.sh('disk-tools verify data.raw --from-format raw --label platter-data');
    return 'made once, kept the second time';
  });

const intoPool = (stage: Stage, reflink: boolean) =>
  stage.step('Into a pool', async () => {
    await stage.sh(`reflink-pool init --pool pool${reflink ? '' : ' --allow-copy'}`);
    await stage.sh('reflink-pool import --pool pool shop/data data.raw --create', { says: /imported/ });
    return reflink ? 'on XFS: each state shares what it can' : 'by copies: this folder cannot share extents';
  });

const working = 'pool/shop/data-dirty.img';

const committed = (stage: Stage, files: FileAccess) =>
  stage.step('Real files, committed', async () => {
    await stage.sh('reflink-pool start --pool pool shop/data');
    await files.put(working, 'files');
    await stage.sh('reflink-pool stop --pool pool shop/data', { says: /committed/ });
    await stage.quietly('cp -r files before');
    return 'the state before is revision 1';
  });

const captured = (stage: Stage) =>
  stage.step('A full backup', async () => {
    await stage.sh('mkdir backup && backup-chain init --repo backup');
    await stage.sh('reflink-pool list --pool pool -o json | backup-chain capture --repo backup -', { says: /full/ });
    return 'from the record that list printed';
  });

const changed = (stage: Stage, files: FileAccess, reflink: boolean) =>
  stage.step('One per cent changed', async () => {
    await stage.quietly('head -c 1M /dev/urandom > files/node.aab');
    await stage.sh('reflink-pool start --pool pool shop/data');
    await files.put(working, 'files', 'node.aab');
    await stage.sh('reflink-pool stop --pool pool shop/data', { says: /committed/ });
    const diff = 'reflink-pool diff --pool pool shop/data@2 shop/data -o json';
    await stage.sh(`${diff} | backup-chain capture --repo backup - --vm shop`, { says: /incremental/ });
    await stage.sh('backup-chain list --repo backup --points');
    return reflink ? 'the increment read what changed' : 'the increment compared content';
  });

const damaged = (stage: Stage) =>
  stage.step('Damage is found and named', async () => {
    await stage.sh('backup-chain validate --repo backup --level deep', { says: /ok/ });
    await stage.sh('cp -r backup damaged');
    const victim = 'f=$(ls damaged/vms/default/shop/disks/data/data/*.qcow2 | tail -n 1)';
    await stage.sh(`${victim}; chmod u+w $f; printf X | dd of=$f bs=1 seek=200000 conv=notrunc status=none`);
    await stage.sh('backup-chain validate --repo damaged --level deep', { exit: 5, says: /\.qcow2/ });
    return 'one byte, exit 5';
  });

const lost = (stage: Stage, files: FileAccess, root: boolean) =>
  stage.step('The disk is lost and restored', async () => {
    await stage.sh('rm -f pool/shop/data.img data.raw');
    await stage.quietly('truncate -s 256M new.img');
    if (!root) {
      await stage.sh('backup-chain restore --repo backup default/shop/data@latest --file --to restored.raw');
      await files.compare('restored.raw', 'files');
      return 'to a file';
    }
    await using device = await attach(`${stage.folder}/new.img`);
    await stage.sh(`backup-chain restore --repo backup default/shop/data@latest --to ${device.device}`);
    await files.compare(device.device, 'files');
    return 'to a block device, every file equal';
  });

const reverted = (stage: Stage, files: FileAccess) =>
  stage.step('Back to before the change', async () => {
    await stage.sh('reflink-pool revert --pool pool shop/data@2');
    await files.compare('pool/shop/data.img', 'before');
    return 'from the pool alone, though its head was gone';
  });

const served = (stage: Stage) =>
  stage.step('A volume group from two files', async () => {
    await stage.quietly('mkdir vg');
    const apply = 'lvm-loop apply --dir $PWD/vg demo-scratch --file d0=64M --file d1=64M';
    const detach =
      'lvm-loop list --dir $PWD/vg -o json | tr , "\\n" | sed -n \'s/.*"loop":"\\([^"]*\\)".*/\\1/p\' | xargs losetup -d';
    try {
      await stage.sh(apply, { says: /active/ });
      await stage.sh(`${detach}  # what a reboot does`);
      await stage.sh('lvm-loop attach --dir $PWD/vg --all', { says: /active/ });
      await stage.sh('lvm-loop list --dir $PWD/vg');
    } finally {
      await stage.sh('lvm-loop remove --dir $PWD/vg demo-scratch --confirm=demo-scratch');
    }
    return 'attached again after a reboot';
  });

const staged = (stage: Stage) =>
  stage.step('A manifest for boot', async () => {
    const manifest = (disk: string) =>
      `printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: shop, namespace: default}\\ndata: {disk: ${disk}}\\n'`;
    const add = 'manifest-stager add shop-config - --dir $PWD/manifests';
    await stage.sh(`${manifest('platter-data')} | ${add}`, { says: /added/ });
    await stage.sh('manifest-stager list --dir $PWD/manifests', { says: /shop-config/ });
    await stage.sh(`${manifest('another')} | ${add}`, { exit: 3, says: /replace/ });
    return 'strict: other content under the name is refused';
  });

const expired = (stage: Stage) =>
  stage.step('A lifetime ends', async () => {
    const lease = '--leases $PWD/leases';
    const action = '--on-expiry command --timer none -- /usr/bin/touch $PWD/acted';
    await stage.quietly('mkdir -m 700 leases');
    await stage.sh(`lifetime-reaper arm shop ${lease} --max-run 1s ${action}`, { says: /armed/ });
    await stage.sh(`lifetime-reaper status shop ${lease}`);
    await stage.quietly('sleep 2');
    await stage.sh(`lifetime-reaper reap shop ${lease}`, { says: /reaped/ });
    await stage.sh('ls acted', { says: /acted/ });
    return 'its command ran once';
  });
