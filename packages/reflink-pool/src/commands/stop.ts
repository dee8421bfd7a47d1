import { every } from '@platter/command/every';
import { on, optional, several, text } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { spread } from '../machine.ts';
import { checkLabel } from '../name.ts';
import { lockFlags, openPool } from '../pool.ts';
import { decideAhead, prepareAhead } from '../prepare.ts';
import { commitText } from '../shown/cycle.ts';
import { stop } from '../stop.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about: 'Commit what was written since start; the state before stays as a revision.',
  words: [{ name: 'VOL', many: true }],
  flags: {
    discard: on('throw away what was written'),
    label: optional({ value: 'NAME', parse: checkLabel, help: 'with --discard: keep it as a revision of this name' }),
    always: on('commit also when nothing was written'),
    'no-prepare': on('do not make the copy for the next start'),
    confirm: several({ ...text, value: 'VOL', help: 'the volume whose working copy may be thrown away' }),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool stop dev/root', 'makes the working copy the head, without copying anything'],
    ['reflink-pool stop dev/root --discard --label broken', 'keeps the head, and what was written as dev/root@broken'],
    ['reflink-pool stop dev/root --discard --confirm=dev/root', 'throws away what was written'],
  ],
  run: async (call) => {
    const { discard, label, always, confirm, 'no-prepare': bare } = call.flags;
    if (label !== undefined && !discard) throw new Invalid('--label belongs to --discard');
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = await openPool(call);
    await every(call, { names: await spread(pool, words), alike: true }, async (name) => {
      const wish = { discard, label, always, confirmed: confirm.includes(name) };
      await stop(pool, name, {
        ...wish,
        told: async ({ record, after }) => {
          const ahead = bare ? null : await decideAhead(pool, { record, after });
          const prepared = record.prepared || ahead !== null;
          await call.emit({ ...record, prepared }, { text: commitText(record), name });
          if (ahead !== null) await prepareAhead(pool, after, ahead);
        },
      });
    });
  },
});
