import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../ground/folder.ts';
import { needs } from '../ground/needs.ts';
import { boot, type Step } from './machine.ts';

const pool = `
  mount -o noatime /dev/vda /mnt
  export PLATTER_LVM_LOOP_DIRS=/mnt/pool`;

/** Volumes of a group of two files: one plain, open and mounted, and one in a thin pool. */
const served = `
  mkfs.ext4 -q /dev/vda
  ${pool}
  mkdir /mnt/pool
  cat >/tmp/group.yaml <<YAML
apiVersion: platter.dev/v1
kind: VolumeGroup
metadata: {name: vm-scratch}
spec:
  files: [{name: d0, size: 96Mi}, {name: d1, size: 96Mi}]
  reserve: {percent: 0, floor: 1Mi}
  thinPools: [{name: thin, size: 64Mi}]
YAML
  step apply lvm-loop apply -f /tmp/group.yaml -o json
  conf='devices{use_devicesfile=0} activation{udev_sync=0 udev_rules=0 monitoring=0}'
  volume() { lvm lvcreate -qq --config "$conf" "$@"; }
  volume -L 32M -n plain vm-scratch
  volume -T -V 256M -n roomy vm-scratch/thin
  for each in plain roomy; do
    mkfs.ext4 -q /dev/vm-scratch/$each
    mkdir /run/$each
    mount /dev/vm-scratch/$each /run/$each
    echo $each >/run/$each/file
  done
  umount /run/roomy
  step detach lvm-loop detach vm-scratch
  step remove lvm-loop remove vm-scratch --confirm=vm-scratch --with-volumes`;

const afterReboot = `
  ${pool}
  step attach lvm-loop attach --all -o json
  for each in plain roomy; do
    mkdir /run/$each
    mount /dev/vm-scratch/$each /run/$each
    step $each cat /run/$each/file
    umount /run/$each
  done
  step remove lvm-loop remove vm-scratch --confirm=vm-scratch --with-volumes
  step loops losetup --list --noheadings
  step mappings find /dev/mapper -name 'vm*'
  step left find /mnt/pool -mindepth 1
  umount /mnt`;

const statusOf = (step: Step | undefined) => JSON.parse(step?.stdout ?? '').status;

needs('root', 'vm')('lvm-loop on device-mapper', () => {
  it('serves volumes, leaves open ones alone, brings them back after a reboot, removes them', async () => {
    await using folder = await tempFolder();
    const disk = join(folder.path, 'disk');
    await writeFile(disk, '');
    await truncate(disk, 512 * 2 ** 20);

    const { apply, detach, remove } = await boot(served, [disk]);
    const thin = { name: 'thin', size: 64 * 2 ** 20 };
    expect(statusOf(apply)).toMatchObject({ phase: 'active', failure: null, lvActive: 1, thinPools: [thin] });
    const open = { code: 4, stderr: expect.stringContaining('in use: plain') };
    expect(detach).toMatchObject(open);
    expect(remove).toMatchObject(open);

    const after = await boot(afterReboot, [disk]);
    expect(statusOf(after.attach)).toMatchObject({ phase: 'active', lvCount: 3, lvActive: 3, thinPools: [thin] });
    expect(after).toMatchObject({ plain: { code: 0, stdout: 'plain\n' }, roomy: { code: 0, stdout: 'roomy\n' } });
    expect(after.remove).toMatchObject({ code: 0 });
    for (const name of ['loops', 'mappings', 'left']) expect(after[name]).toMatchObject({ code: 0, stdout: '' });
  }, 700_000);
});
