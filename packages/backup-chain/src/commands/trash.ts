import { choice, duration, given } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { openRepository } from '../repository.ts';
import { repoFlag, rootOf, waitFlag } from '../root.ts';
import { listTrash, purgeTrash, restoreTrash } from '../trashing.ts';

const deeds = { list: listTrash, restore: restoreTrash, purge: purgeTrash };
const deed = choice('list', 'restore', 'purge');

export default verb({
  about: 'List what was merged or pruned, undo one entry of it exactly, or remove what is old for good.',
  words: [{ name: deed.value }, { name: 'ENTRY', optional: true }],
  flags: {
    'older-than': given({ ...duration, default: '24h', help: 'how long it lay there, for purge' }),
    ...repoFlag,
    ...waitFlag,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['backup-chain trash list', 'lists all entries, oldest first'],
    ['backup-chain trash restore default/db@20260112T020000Z-merge-7f3a', 'undoes one merge'],
    ['backup-chain trash purge --older-than 7d', 'removes what lies there for a week, unless somebody reads the VM'],
  ],
  run: async (call) => {
    const [word, entry] = call.words as [string, string | undefined];
    const what = reading(deed.value, () => deed.parse(word));
    if (what !== 'restore' && entry !== undefined)
      throw new Failure('usage', `${JSON.stringify(entry)} is one word too many`);
    await deeds[what](call, await openRepository(call.host, rootOf(call)));
  },
});
