import { choice, integer, on, optional } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { tellAdoption } from '../adoption.ts';
import { checkVolume } from '../name.ts';
import { formatPolicy, parsePolicy } from '../policy.ts';
import { lockFlags, poolDirectory } from '../pool.ts';

export default verb({
  about: 'Make images of the Qubes file-reflink driver volumes where they lie; renames, copies and deletes nothing.',
  words: [{ name: 'PREFIX', many: true, optional: true }],
  flags: {
    keep: optional({ ...integer, help: 'how many revisions retention keeps; else all' }),
    as: optional({ ...choice('saved'), help: 'also what looks like a volume of another kind' }),
    'allow-copy': on('also where files cannot share extents: a start then copies all bytes'),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool adopt --pool /var/lib/qubes', 'all volumes of a Qubes pool'],
    ['reflink-pool adopt appvms/work --keep 10', 'the volumes of one VM'],
    ['reflink-pool adopt -n', 'prints what would change'],
  ],
  run: async (call) => {
    const { keep, as, 'allow-copy': allowCopy } = call.flags;
    const prefixes = call.words.map((word) => checkVolume(word.replace(/\/$/, '')));
    const policy = keep === undefined ? null : formatPolicy(parsePolicy(`count=${keep}`));
    await tellAdoption(call, poolDirectory(call), { prefixes, policy, asSaved: as === 'saved', allowCopy });
  },
});
