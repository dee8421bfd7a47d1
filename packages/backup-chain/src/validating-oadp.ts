import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { usage } from './asking.ts';
import { disksIn } from './foreign.ts';
import { openHistory } from './foreign-files.ts';
import { folderOf } from './kubevirt.ts';
import { readTree, type TreeVm } from './oadp-tree.ts';
import { vmAddress } from './telling.ts';
import type { Thoroughness, Validated } from './validating.ts';
import { validateOpened } from './validating-files.ts';

const nothingRead = { links: 0, bytesRead: 0 };

function toldOf(vm: TreeVm): Validated {
  const story = `${vm.moments.length} checkpoints, ${disksIn(vm).length} disks`;
  return { name: vmAddress(vm.place), findings: vm.findings, story, ...nothingRead };
}

/** Checks of an OADP tree all that an import of it would: what it says of itself, then each chain of images. */
export async function* validateTree(
  call: Call<{ 'ignore-backing': boolean }>,
  said: string,
  how: Thoroughness,
): AsyncGenerator<Validated> {
  if (call.words.length > 0) throw usage('--oadp takes no addresses');
  const folder = await folderOf(call.host, resolve(call.cwd, said));
  const { vms, findings } = await readTree(call.host, { folder, disks: [] });
  yield { name: folder, findings, story: `${vms.length} VMs`, ...nothingRead };
  for (const vm of vms) {
    yield toldOf(vm);
    const rules = { ignoreBacking: call.flags['ignore-backing'], after: () => null };
    for (const { disk, files, links, findings: found } of await openHistory(call.host, vm, rules)) {
      const name = `${vmAddress(vm.place)}/${disk}`;
      yield await validateOpened(call, { name, count: files.length, links, findings: found }, how);
      for (const { held } of links) held.close();
    }
  }
}
