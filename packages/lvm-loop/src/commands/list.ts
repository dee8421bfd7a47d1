import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { common } from '../flags.ts';
import { listGroups } from '../listing.ts';
import { open } from '../session.ts';

export default verb({
  about: 'List the groups in the roots, and with --all every loop device of the host and whose it is.',
  words: [],
  flags: { all: on('also every loop device of the host'), ...common },
  exits: [0, 1, 2, 6, 7],
  examples: [
    ['lvm-loop list', 'shows each group and its files'],
    ['lvm-loop list --all', 'shows also the loop devices of others'],
    ['lvm-loop list -o json | jq .status.phase', 'prints where each group is in its life'],
  ],
  run: async (call) => listGroups(await open(call), call.flags.all),
});
