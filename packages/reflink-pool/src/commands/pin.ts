import { every } from '@platter/command/every';
import { given, on } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { pinned, released } from '../facts.ts';
import { checkOwner } from '../name.ts';
import { note } from '../noting.ts';
import { lockFlags, openPool } from '../pool.ts';
import { parseReference } from '../reference.ts';
import { revisionText } from '../shown/look.ts';
import { referenceIn } from '../words.ts';

export default verb({
  about: 'Keep revisions from being removed for as long as their owners need them; a head gets a number first.',
  words: [{ name: 'VOL[@REF]', many: true }],
  flags: {
    owner: given({ value: 'OWNER', parse: checkOwner, default: 'user', help: 'who needs them' }),
    release: on('this owner needs them no more'),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool pin dev/root@7', 'neither prune nor remove takes it'],
    ['reflink-pool list -o json | reflink-pool pin - --owner audit', 'pins every head'],
    ['reflink-pool pin dev/root@7 --owner backup-chain --release', 'the other owners still keep it'],
  ],
  run: async (call) => {
    const { owner, release } = call.flags;
    const words = await namesOf(call, referenceIn);
    for (const word of words) parseReference(word);
    const pool = await openPool(call);
    await every(call, { names: words, alike: true }, async (word) => {
      const record = await note(pool, parseReference(word), (notes) => (release ? released : pinned)(notes, owner));
      await call.emit(record, { text: revisionText(record), name: record.ref });
    });
  },
});
