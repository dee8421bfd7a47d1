import { verb } from '@platter/command/verb';
import { checkName } from '@platter/units/name';
import { perform } from '../change.ts';
import { ifShaFlag, placeFlags } from '../flags.ts';
import { manifestName } from '../manifest.ts';
import { tell } from '../outcome.ts';
import { placeOf } from '../place.ts';

export default verb({
  about: 'Take a staged manifest away, whichever its mode. A second time there is nothing to remove: exit 3.',
  words: [{ name: 'NAME' }],
  flags: { ...placeFlags, ...ifShaFlag },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 6],
  examples: [
    ['manifest-stager rm dashboards', 'takes it away'],
    ['manifest-stager rm dashboards --if-sha "$seen"', 'only if nobody changed it since it was looked at'],
    ['manifest-stager rm migrate-0-6 --root /mnt/image', 'takes it out of a mounted image'],
  ],
  run: async (call) => {
    const [name = ''] = call.words;
    checkName(manifestName, name);
    const wish = { verb: 'remove', name, ifSha: call.flags['if-sha'] } as const;
    await tell(call, await perform(call, { place: placeOf(call.flags, call.cwd), wish }));
  },
});
