import { every } from '@platter/command/every';
import { optional, several, text } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { spread } from '../machine.ts';
import { checkLabel } from '../name.ts';
import { lockFlags, openPool } from '../pool.ts';
import { parseReference } from '../reference.ts';
import { removalOf, remove } from '../remove.ts';
import { removalText } from '../shown/cycle.ts';
import { checkReferences, referenceIn } from '../words.ts';

export default verb({
  about: 'Remove volumes with all their revisions, or single revisions.',
  words: [{ name: 'VOL[@REF]', many: true, optional: true }],
  flags: {
    set: optional({ value: 'NAME', parse: checkLabel, help: 'remove a set with all its members' }),
    confirm: several({ ...text, value: 'VOL[@REF]', help: 'what may be removed, said again' }),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool remove dev/old --confirm=dev/old', 'the volume and all its revisions'],
    ['reflink-pool remove dev/root@3 --confirm=dev/root@3', 'one revision'],
    ['reflink-pool remove dev/old -n', 'prints what would go'],
  ],
  run: async (call) => {
    const { confirm, set } = call.flags;
    if ((call.words.length === 0) === (set === undefined))
      throw new Invalid('say what to remove: one of VOL and --set NAME');
    const words = checkReferences(await namesOf(call, referenceIn));
    const pool = await openPool(call);
    if (set !== undefined) {
      const gone = await (await import('../set-removal.ts')).removeSet(pool, set, confirm.includes(set));
      const record = removalOf(set, gone ? 'removed' : 'already');
      return call.emit(record, { text: removalText(record), name: set });
    }
    await every(call, { names: await spread(pool, words), alike: true }, async (word) => {
      const target = { ref: word, reference: parseReference(word), whole: !word.includes('@') };
      const record = await remove(pool, target, confirm.includes(word));
      await call.emit(record, { text: removalText(record), name: word });
    });
  },
});
