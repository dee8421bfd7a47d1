import { every } from '@platter/command/every';
import { on } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { chosen, readable } from '../chosen.ts';
import { openPool, poolFlag } from '../pool.ts';
import { usageText } from '../shown/space.ts';
import { usageOfImage, usageOfVolume } from '../usage.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about: 'Show what volumes take on the disk, and what comes free when a state of them goes. Waits for nobody.',
  words: [{ name: 'VOL', many: true, optional: true }],
  flags: { revisions: on('one line for each committed state: the head and the revisions'), ...poolFlag },
  exits: [0, 1, 2, 3, 5, 6, 7],
  examples: [
    ['reflink-pool usage', 'one line for each saved volume'],
    ['reflink-pool usage dev/root --revisions', 'what each state would free'],
    ['reflink-pool usage vm/ --revisions -o json | jq -s "map(.reclaimable) | add"', 'what single states free, in all'],
  ],
  run: async (call) => {
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = await openPool(call);
    await every(call, { names: await chosen(pool, words), alike: true }, async (name) => {
      const volume = await readable(pool, name);
      const head = volume.head === null ? [] : [{ ref: `${name}@head`, image: volume.head }];
      const states = [...head, ...volume.revisions.map((image) => ({ ref: `${name}@${image.number}`, image }))];
      const looks = call.flags.revisions
        ? states.map((state) => () => usageOfImage(pool, volume, state))
        : [() => usageOfVolume(pool, volume)];
      for (const look of looks) {
        const record = await look();
        await call.emit(record, { text: usageText(record), name: record.ref });
      }
    });
  },
});
