import { choice, optional } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { Failure } from '@platter/host/failure';
import { diagnose } from '../doctor.ts';
import { glancing, openPool, poolFlag } from '../pool.ts';
import { findingText } from '../shown/health.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about: 'Say what is not as it should be, and the shell lines that put it right. Changes nothing itself.',
  words: [{ name: 'VOL', many: true, optional: true }],
  flags: {
    for: optional({ ...choice('qubes'), help: 'also what would be wrong once Qubes uses the pool again' }),
    ...poolFlag,
  },
  exits: [0, 1, 2, 3, 5, 6],
  examples: [
    ['reflink-pool doctor', 'the whole pool'],
    ['reflink-pool doctor dev/root -o json', 'one volume, one record for each finding'],
    ['reflink-pool doctor --for qubes', 'before the pool is handed back'],
  ],
  run: async (call) => {
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = glancing(await openPool(call));
    let found = 0;
    for await (const one of diagnose(pool, { words, forQubes: call.flags.for === 'qubes' })) {
      found += 1;
      await call.emit(one, { text: findingText(one), name: one.path });
    }
    if (found === 0) return;
    throw new Failure('refused', found === 1 ? 'one thing is wrong' : `${found} things are wrong`, {
      hint: 'the lines marked fix, then reflink-pool doctor again',
    });
  },
});
