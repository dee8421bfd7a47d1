import { choice, given, integer, optional, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { drill } from '../drill.ts';
import { orders } from '../picking.ts';
import { common, looseFlags } from '../root.ts';

export default verb({
  about: 'Prove that points can be restored: their content, and that their filesystems are sound. Writes receipts.',
  words: [{ name: 'ADDR', optional: true, many: true }],
  flags: {
    pick: optional({ ...choice(...orders), help: 'without ADDR: which points; stalest unless given' }),
    count: given({ ...integer, default: '1', help: 'how many of them' }),
    via: given({ ...choice('scratch', 'overlay', 'read'), default: 'scratch', help: 'restore, overlay or only read' }),
    into: given({ ...text, value: 'DIR', env: 'TMPDIR', default: '/tmp', help: 'the folder for scratch files' }),
    fsck: given({ ...choice('auto', 'none', 'require'), default: 'auto', help: 'what filesystems have to show' }),
    receipt: optional({ ...text, value: 'FILE', help: 'a new file for the receipt of one point' }),
    ...looseFlags,
    ...common,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['backup-chain drill --pick stalest --repo /backup', 'proves the point that waits longest for it'],
    ['backup-chain drill shop/web@latest --via overlay --fsck require', 'proves a set without scratch space'],
    ['backup-chain drill --files full.qcow2 inc1.qcow2 --into /scratch', 'proves loose files'],
  ],
  run: drill,
});
