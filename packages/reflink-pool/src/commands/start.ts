import { every } from '@platter/command/every';
import { choice, given, on, optional, several, size, text } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { spread } from '../machine.ts';
import { lockFlags, openPool } from '../pool.ts';
import { sessionText } from '../shown/cycle.ts';
import { start } from '../start.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about: 'Give volumes a file to write: a clone of the head, in O(1) when one was made ahead.',
  words: [{ name: 'VOL', many: true }],
  flags: {
    'on-dirty': given({
      ...choice('resume', 'commit', 'discard', 'refuse'),
      default: 'resume',
      help: 'what to do with a working copy that outlived a restart',
    }),
    prepare: on('only make the copy for the next start'),
    reserve: optional({ ...size, help: "free space that must be there; 0 for none, else the pool's setting" }),
    confirm: several({ ...text, value: 'VOL', help: 'the volume whose working copy may be thrown away' }),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool start dev/root', 'makes dev/root-dirty.img and prints where it is'],
    ['qemu-img info "$(reflink-pool start dev/root -o name)"', 'hands the path on'],
    ['reflink-pool start dev/root --prepare', 'does the slow part now, for a start that takes a millisecond'],
  ],
  run: async (call) => {
    const { prepare, reserve, confirm, 'on-dirty': onDirty } = call.flags;
    if (prepare && onDirty === 'discard') throw new Invalid('--prepare and --on-dirty discard exclude each other');
    const words = checkWords(await namesOf(call, volumeIn));
    const pool = await openPool(call);
    const room = { free: pool.space.free, reserve: reserve ?? pool.settings.reserveBytes };
    await every(call, { names: await spread(pool, words), alike: true }, async (name) => {
      const wish = { onDirty, confirmed: confirm.includes(name), prepare, ...room };
      const record = await start(pool, name, wish);
      await call.emit(record, { text: sessionText(record), name: record.path });
    });
  },
});
