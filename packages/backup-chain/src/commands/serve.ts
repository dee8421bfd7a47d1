import { optional, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { looseFlags, repoFlag, waitFlag } from '../root.ts';
import { serve } from '../serving.ts';

export default verb({
  about: 'Serve a point, or the disks of a set, read-only over NBD until a signal comes.',
  words: [{ name: 'ADDR', many: true }],
  flags: {
    socket: optional({ ...text, value: 'PATH', help: 'the local socket to serve at' }),
    ...looseFlags,
    ...repoFlag,
    ...waitFlag,
  },
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain serve shop/web/data@latest --socket /run/web.sock', 'serves one disk'],
    ['qemu-img convert -O raw "nbd+unix:///data?socket=/run/web.sock" data.img', 'reads it, from another terminal'],
    ['backup-chain serve --files full.qcow2 inc1.qcow2 --socket /run/web.sock', 'serves loose files'],
  ],
  run: serve,
});
