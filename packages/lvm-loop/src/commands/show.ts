import { verb } from '@platter/command/verb';
import { common } from '../flags.ts';
import { open } from '../session.ts';
import { showOne } from '../showing.ts';

export default verb({
  about:
    'Show a group or one of its files: also its logical volumes, extents shared with other files, and the LVM command.',
  words: [{ name: 'GROUP|GROUP/FILE|IMAGE' }],
  flags: common,
  exits: [0, 1, 2, 3, 6, 7],
  examples: [
    ['lvm-loop show vm-scratch', 'shows a group with its volumes'],
    ['lvm-loop show vm-scratch/d0', 'shows one file of it'],
    ['lvm-loop show /data/pool/vm-scratch.d0.img -o json', 'shows the file an image is, as a record'],
  ],
  run: async (call) => showOne(await open(call), call.words[0] ?? ''),
});
