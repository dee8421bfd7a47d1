import { on } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { Failure } from '@platter/host/failure';
import { checkedVolumes } from '../checked.ts';
import { glancing, lockFlags, openPool } from '../pool.ts';
import { verificationText } from '../shown/health.ts';
import { verifyAll } from '../verify.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about: 'Check volumes and their images: modes, names, what is noted of them, and their bytes.',
  words: [{ name: 'VOL', many: true, optional: true }],
  flags: {
    content: on('read the images that have a digest, and compare'),
    record: on('read the images that have none, and note their digest'),
    ...lockFlags,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool verify', 'all volumes, reading nothing'],
    ['reflink-pool verify dev/ --record', 'notes the SHA-256 of what has none'],
    ['reflink-pool verify dev/root --content', 'names the image in which a byte was flipped'],
  ],
  run: async (call) => {
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = await openPool(call);
    const volumes = await checkedVolumes(glancing(pool), words);
    const { content, record } = call.flags;
    let [checked, wrong] = [0, 0];
    for await (const one of verifyAll(pool, volumes, { wish: { content, record }, keepers: words.length === 0 })) {
      [checked, wrong] = [checked + 1, wrong + (one.ok ? 0 : 1)];
      await call.emit(one, { text: verificationText(one), name: one.ref });
    }
    if (wrong === 0) return;
    throw new Failure('corrupt', `${wrong} of ${checked} are not as they should be`, { hint: 'reflink-pool doctor' });
  },
});
