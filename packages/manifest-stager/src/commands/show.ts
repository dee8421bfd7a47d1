import { verb } from '@platter/command/verb';
import { checkName } from '@platter/units/name';
import { choose } from '../bearer.ts';
import { placeFlags } from '../flags.ts';
import { outputOf, tellManifests } from '../listing.ts';
import { manifestName } from '../manifest.ts';
import { placeOf } from '../place.ts';
import { find } from '../staged.ts';

export default verb({
  about: 'Print the bytes of a staged manifest, untouched; with -o json its record.',
  words: [{ name: 'NAME' }],
  flags: placeFlags,
  exits: [0, 1, 2, 3],
  examples: [
    ['manifest-stager show dashboards', 'prints the manifest'],
    ['manifest-stager show dashboards | kubectl diff -f -', 'compares it with the cluster'],
    ['manifest-stager show dashboards -o json | jq -r .sha256', 'prints the hash for --if-sha'],
  ],
  run: async (call) => {
    const [name = ''] = call.words;
    checkName(manifestName, name);
    const manifest = choose(await find(call.host, placeOf(call.flags, call.cwd), name), name);
    if (outputOf(call) === 'text') await call.write(manifest.content);
    else await tellManifests(call, [manifest]);
  },
});
