import { verb } from '@platter/command/verb';
import { placeFlags } from '../flags.ts';
import { tellManifests } from '../listing.ts';
import { placeOf } from '../place.ts';
import { survey } from '../staged.ts';

export default verb({
  about: 'List the staged manifests of both modes in natural order.',
  words: [],
  flags: placeFlags,
  exits: [0, 1, 2, 3],
  examples: [
    ['manifest-stager list', 'shows what takes effect at boot'],
    ['manifest-stager list -o json | jq -r .objects[].kind', 'shows the kinds of objects in it'],
    ['manifest-stager list --root /mnt/image', 'shows what is staged in a mounted image'],
  ],
  run: async (call) => {
    const { manifests, strays } = await survey(call.host, placeOf(call.flags, call.cwd));
    for (const path of strays) call.warn(`${path} is not <name>.yaml: left out`);
    await tellManifests(call, manifests);
  },
});
