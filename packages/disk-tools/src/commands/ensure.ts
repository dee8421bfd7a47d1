import { choice, given, octalMode, optional, size, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { ensure } from '../ensure.ts';
import { targetOf } from '../target.ts';
import { parseUuid } from '../wish.ts';

export default verb({
  about: 'Make a labelled data disk, or keep the one that is there.',
  words: [{ name: 'PATH' }],
  flags: {
    size: optional({ ...size, help: 'how large the guest sees it (new disks: 10G)' }),
    label: given({ ...text, help: 'label of its filesystem', default: 'platter-data' }),
    fs: optional({ ...choice('ext4', 'xfs'), help: 'its filesystem (new disks: ext4)' }),
    layout: optional({ ...choice('whole', 'mbr'), help: 'whole disk or one partition (new disks: whole)' }),
    format: optional({ ...choice('qcow2', 'raw'), help: 'its image format (new disks: qcow2)' }),
    uuid: optional({ value: 'UUID', parse: parseUuid, help: 'UUID of its filesystem (new disks: random)' }),
    mode: given({ ...octalMode, help: 'mode of a new file', default: '0600' }),
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['disk-tools ensure shop-data.qcow2 --size 20G', 'makes it, or says that it is there'],
    ['disk-tools ensure /vm/data.qcow2 --label y-cluster-data --layout mbr', 'one partition, as y-cluster has it'],
    ['disk-tools ensure data.raw --format raw --fs xfs --dry-run', 'prints what it would do'],
  ],
  run: async (call) => ensure(call, targetOf(call.cwd, call.words[0] ?? ''), call.flags),
});
