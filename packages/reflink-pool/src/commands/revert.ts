import { on, optional, several, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { checkLabel } from '../name.ts';
import { lockFlags, openPool } from '../pool.ts';
import { parseReference } from '../reference.ts';
import { revert } from '../revert.ts';
import { revertText } from '../shown/cycle.ts';

export default verb({
  about: 'Make a former state the head again; the state now stays as a revision.',
  words: [{ name: 'VOL[@REF]', optional: true }],
  flags: {
    set: optional({ value: 'NAME', parse: checkLabel, help: 'revert all members of a set as one' }),
    discard: on('throw away a working copy first'),
    confirm: several({ ...text, value: 'VOL', help: 'the volume whose working copy may be thrown away' }),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool revert dev/root', 'goes back to the state before the last commit'],
    ['reflink-pool revert dev/root@7', 'goes back to revision 7'],
    ['reflink-pool revert dev/root@7 --discard --confirm=dev/root', 'also when it is started and nobody uses it'],
  ],
  run: async (call) => {
    const [word] = call.words;
    const { discard, confirm, set } = call.flags;
    if ((word === undefined) === (set === undefined)) throw new Invalid('say one of VOL and --set NAME');
    const reference = word === undefined ? null : parseReference(word, 'latest');
    const pool = await openPool(call);
    const records =
      reference === null
        ? await (await import('../sets.ts')).revertSet(pool, set ?? '', { discard, confirm })
        : [await revert(pool, reference, { discard, confirmed: confirm.includes(reference.volume) })];
    for (const record of records) await call.emit(record, { text: revertText(record), name: record.volume });
  },
});
