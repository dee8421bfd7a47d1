import { duration, on, optional } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { expiryOf, labelled, refuseTaken } from '../facts.ts';
import { note } from '../noting.ts';
import { lockFlags, openPool } from '../pool.ts';
import { parseReference } from '../reference.ts';
import { revisionText } from '../shown/look.ts';
import { checkStamp, stamped } from '../stamp.ts';

export default verb({
  about: 'Give a revision another name, which retention spares; on the head, give it a number first.',
  words: [{ name: 'VOL@REF' }, { name: 'NAME', optional: true }],
  flags: {
    expires: optional({ ...duration, help: 'after which it may go, name and all; never unless given' }),
    clear: on('take the name away, and when it expires'),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool label dev/root@7 before-upgrade', 'dev/root@before-upgrade is dev/root@7'],
    ['reflink-pool label dev/root@head known-good-@', '@ becomes the moment, as in known-good-20261120-081140'],
    ['reflink-pool label dev/root@before-upgrade --clear', 'leaves it to retention again'],
  ],
  run: async (call) => {
    const [word = '', name] = call.words;
    const { clear, expires } = call.flags;
    if ((name === undefined) !== clear) throw new Invalid('say one of NAME and --clear');
    if (clear && expires !== undefined) throw new Invalid('--clear and --expires exclude each other');
    const [reference, now] = [parseReference(word), call.now()];
    const label = name === undefined ? null : stamped(checkStamp(name), now);
    const expiresAt = expires === undefined ? null : expiryOf(now, expires);
    const record = await note(await openPool(call), reference, (notes, volume, revision) => {
      refuseTaken(volume, label, revision);
      return labelled(notes, label, expiresAt);
    });
    await call.emit(record, { text: revisionText(record), name: record.ref });
  },
});
