import { on, optional, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Failure } from '@platter/host/failure';
import { common } from '../flags.ts';
import { open } from '../session.ts';
import { takeAway } from '../takeaway.ts';

export default verb({
  about: 'Remove a group with its files, or one empty file of a group.',
  words: [{ name: 'GROUP|GROUP/FILE' }],
  flags: {
    confirm: optional({ ...text, value: 'NAME', help: 'the name again: what it holds is destroyed' }),
    'with-volumes': on('also its logical volumes, with all they hold'),
    ...common,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['lvm-loop remove ci --confirm=ci --with-volumes', 'removes a group with everything on it'],
    ['lvm-loop remove vm-scratch/d1 --confirm=vm-scratch/d1', 'takes an empty file out of a group'],
    ['lvm-loop remove ci --confirm=ci --dry-run', 'shows what would be done'],
  ],
  run: async (call) => {
    const [name = ''] = call.words;
    if (call.flags.confirm !== name)
      throw new Failure('usage', `removing ${name} destroys what it holds`, { hint: `--confirm=${name}` });
    await takeAway(await open(call), name, call.flags['with-volumes']);
  },
});
