import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { detachOne } from '../detach.ts';
import { common } from '../flags.ts';
import { tell } from '../report.ts';
import { open } from '../session.ts';
import { unfinished } from '../situation.ts';
import { eachGroup, namesAsked } from '../sweep.ts';

export default verb({
  about: 'Deactivate the logical volumes of groups and detach their loops; a loop in use stays, and stays attached.',
  words: [{ name: 'GROUP', optional: true, many: true }],
  flags: { all: on('every group'), 'stay-down': on('attach --all leaves the group alone from now on'), ...common },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 7],
  examples: [
    ['lvm-loop detach vm-scratch', 'takes a group down; its files stay as they are'],
    ['lvm-loop detach vm-scratch --stay-down', 'and keeps it down over reboots'],
    ['lvm-loop detach --all', 'takes every group down, as a unit does at shutdown'],
  ],
  run: async (call) => {
    const asked = await namesAsked(call);
    const session = await open(call);
    await eachGroup(session, asked, async (group, named) => {
      const reason = named ? null : unfinished(group)?.message;
      if (reason) return call.note(`${group.name}: left alone: ${reason}`);
      await detachOne(session, group, call.flags['stay-down']);
      await tell(session, group.name, { drift: [], failure: null, seen: {} });
    });
  },
});
