import { every } from '@platter/command/every';
import { on, optional, several, text } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { spread } from '../machine.ts';
import { checkLabel } from '../name.ts';
import { lockFlags, openPool } from '../pool.ts';
import type { RevertRecord } from '../records/cycle.ts';
import { parseReference } from '../reference.ts';
import { revert } from '../revert.ts';
import { revertText } from '../shown/cycle.ts';
import { checkReferences, referenceIn } from '../words.ts';

export default verb({
  about: 'Make a former state the head again; the state now stays as a revision.',
  words: [{ name: 'VOL[@REF]', many: true, optional: true }],
  flags: {
    set: optional({ value: 'NAME', parse: checkLabel, help: 'revert all members of a set as one' }),
    discard: on('throw away a working copy first'),
    confirm: several({ ...text, value: 'VOL', help: 'the volume whose working copy may be thrown away' }),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool revert dev/root', 'goes back to the state before the last commit'],
    ['reflink-pool revert dev/root@7', 'goes back to revision 7'],
    ['reflink-pool revert dev/root@7 --discard --confirm=dev/root', 'also when it is started and nobody uses it'],
  ],
  run: async (call) => {
    const { discard, confirm, set } = call.flags;
    if ((call.words.length === 0) === (set === undefined)) throw new Invalid('say one of VOL and --set NAME');
    const words = checkReferences(await namesOf(call, referenceIn));
    const pool = await openPool(call);
    const tell = (record: RevertRecord) => call.emit(record, { text: revertText(record), name: record.volume });
    if (set !== undefined) {
      const { revertSet } = await import('../sets.ts');
      for (const record of await revertSet(pool, set, { discard, confirm })) await tell(record);
    }
    await every(call, { names: await spread(pool, words), alike: true }, async (word) => {
      const reference = parseReference(word, 'latest');
      await tell(await revert(pool, reference, { discard, confirmed: confirm.includes(reference.volume) }));
    });
  },
});
