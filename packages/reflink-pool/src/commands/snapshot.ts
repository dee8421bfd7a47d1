import { every } from '@platter/command/every';
import { duration, on, optional } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { checkHook, checkHookPath } from '../hook.ts';
import { spread } from '../machine.ts';
import { checkOwner } from '../name.ts';
import { lockFlags, openPool } from '../pool.ts';
import { setViews, snapshotName, snapshotText } from '../shown/snapshot.ts';
import { orderOf, snapshot } from '../snapshot.ts';
import { checkStamp } from '../stamp.ts';
import { checkWords, volumeIn } from '../words.ts';

const name = { value: 'NAME', parse: checkStamp };

export default verb({
  about: 'Name the present state: of a stopped volume its head, of a started one what its working copy holds now.',
  words: [{ name: 'VOL', many: true }],
  flags: {
    label: optional({ ...name, help: 'another name for it; @ becomes the moment, as in 20261120-081140' }),
    set: optional({ ...name, help: 'all volumes at one moment, under this name, all or none' }),
    expires: optional({ ...duration, help: 'after which it may go, label and set and all' }),
    pin: optional({ value: 'OWNER', parse: checkOwner, help: 'who needs it until `pin --release`' }),
    'if-changed': on('not when the state now has a name already'),
    hook: optional({
      value: 'PROGRAM',
      parse: checkHookPath,
      help: 'run as PROGRAM freeze|thaw VOL... around the clones',
    }),
    'max-pause': optional({
      ...duration,
      help: 'how long writers may wait: refused when predicted, stopped when over',
    }),
    'allow-skew': on('make a set of running volumes without --hook, milliseconds apart'),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool snapshot dev/root --label before-upgrade', 'a name for what dev/root is now'],
    ['reflink-pool snapshot db/ --set night-@ --hook /etc/platter/guest-freeze', 'all of db/ at one moment, frozen'],
    ['reflink-pool snapshot db/data --if-changed --expires 14d --max-pause 500ms', 'for a timer'],
  ],
  run: async (call) => {
    const order = orderOf(call.flags, call.now());
    const { hook, wish } = order;
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = await openPool(call);
    if (hook !== null) await checkHook(call.host, hook);
    const names = await spread(pool, words);
    if (wish.set === null)
      return every(call, { names, alike: true }, async (volume) => {
        const record = await snapshot(pool, volume, order);
        await call.emit(record, { text: snapshotText(record), name: snapshotName(record) });
      });
    const { snapshotSet } = await import('../set-making.ts');
    const made = await snapshotSet(pool, { set: wish.set, names, order });
    for (const [record, view] of setViews(made)) await call.emit(record, view);
  },
});
