import { every } from '@platter/command/every';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { chosen, readable } from '../chosen.ts';
import { fragsOf } from '../frag.ts';
import { openPool, poolFlag } from '../pool.ts';
import { fragText } from '../shown/space.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about: 'Show in how many pieces heads and working copies lie, and what that makes a clone cost. Waits for nobody.',
  words: [{ name: 'VOL', many: true, optional: true }],
  flags: { ...poolFlag },
  exits: [0, 1, 2, 3, 5, 6, 7],
  examples: [
    ['reflink-pool frag', 'one line for each head and each working copy'],
    ['reflink-pool frag dev/root -o json', 'with the predicted time of a clone'],
    ['reflink-pool probe --calibrate --save', 'makes the predictions those of this machine'],
  ],
  run: async (call) => {
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = await openPool(call);
    await every(call, { names: await chosen(pool, words), alike: true }, async (name) => {
      for (const record of await fragsOf(pool, await readable(pool, name)))
        await call.emit(record, { text: fragText(record), name: record.ref });
    });
  },
});
