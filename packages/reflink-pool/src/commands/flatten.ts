import { every } from '@platter/command/every';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { flatten } from '../flatten.ts';
import { spread } from '../machine.ts';
import { lockFlags, openPool } from '../pool.ts';
import { flattenText } from '../shown/space.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about:
    'Give stopped volumes heads that lie in one piece, so that starts are fast again; older revisions stay as they are.',
  words: [{ name: 'VOL', many: true }],
  flags: { ...lockFlags },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool flatten dev/root', 'copies the head, compares, and puts the copy in its place'],
    ['reflink-pool frag -o json | jq -r "select(.advice) | .volume" | reflink-pool flatten -', 'where frag advises it'],
    ['reflink-pool flatten dev/root -n', 'prints what it would do'],
  ],
  run: async (call) => {
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = await openPool(call);
    await every(call, { names: await spread(pool, words), alike: true }, async (name) => {
      const record = await flatten(pool, name);
      const told = !call.host.dry || record.outcome === 'already';
      await call.emit(record, { text: told ? flattenText(record) : [], name });
    });
  },
});
