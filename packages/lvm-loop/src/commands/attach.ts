import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { attachOne, leftOut } from '../attach.ts';
import { common, noActivate } from '../flags.ts';
import { tell } from '../report.ts';
import { open } from '../session.ts';
import { eachGroup, namesAsked } from '../sweep.ts';

export default verb({
  about: 'Attach the images of groups to loop devices and activate their logical volumes, as after a reboot.',
  words: [{ name: 'GROUP', optional: true, many: true }],
  flags: { all: on('every group that is to come up by itself'), 'no-activate': noActivate, ...common },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['lvm-loop attach --all', 'serves every group, as a unit does at boot'],
    ['lvm-loop attach vm-scratch', 'serves one, also one that was to stay down'],
    ['lvm-loop list -o name | lvm-loop attach -', 'serves the groups that stdin names'],
  ],
  run: async (call) => {
    const asked = await namesAsked(call);
    const session = await open(call);
    await eachGroup(session, asked, async (group, named) => {
      const reason = named ? null : leftOut(group);
      if (reason !== null) return call.note(`${group.name}: left alone: ${reason}`);
      const seen = await attachOne(session, group, call.flags['no-activate']);
      await tell(session, group.name, { drift: [], failure: null, seen });
    });
  },
});
