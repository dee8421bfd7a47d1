import { every } from '@platter/command/every';
import { choice, on, optional, size, text } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { targetOf } from '../target.ts';
import { verify } from '../verify.ts';

export default verb({
  about: 'Prove that disks are sound: their headers, tables, refcounts and filesystems.',
  words: [{ name: 'PATH', many: true }],
  flags: {
    label: optional({ ...text, help: 'the label one filesystem must have' }),
    fs: optional({ ...choice('ext4', 'xfs'), help: 'the type it must have' }),
    'min-size': optional({ ...size, help: 'how large the guest must see it at least' }),
    'from-format': optional({ ...choice('raw'), help: 'say that it is a raw image or a block device' }),
    fsck: on('check the filesystems too, on a copy'),
    scratch: optional({ ...text, value: 'DIR', help: "where the copy goes (the disk's directory)" }),
    digest: on('add the digest of what the guest sees'),
  },
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['disk-tools verify shop-data.qcow2 --label platter-data', 'the disk that a machine expects, and sound'],
    ['disk-tools verify --fsck --scratch /var/tmp shop-data.qcow2', 'checks a copy of its filesystem'],
    ['disk-tools ensure a.qcow2 -o json | disk-tools verify -', 'takes the path from a record'],
  ],
  run: async (call) => {
    const names = await namesOf(call, ({ path }) => (typeof path === 'string' ? path : undefined));
    await every(call, { names }, (name) => verify(call, targetOf(call.cwd, name), call.flags));
  },
});
