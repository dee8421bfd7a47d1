import { every } from '@platter/command/every';
import { choice, duration, given } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { parsePlace } from '../address.ts';
import { prune } from '../prune.ts';
import { policyFlags, policyOf, vmsOf } from '../prune-wish.ts';
import { pruneRecord, pruneText } from '../pruned.ts';
import { openRepository } from '../repository.ts';
import { common, rootOf } from '../root.ts';

export default verb({
  about: 'Let sets go that a policy does not keep, and merge or drop the points that only they needed.',
  words: [{ name: 'NS/VM', optional: true, many: true }],
  flags: {
    ...policyFlags,
    strategy: given({
      ...choice('merge', 'whole-chain'),
      default: 'merge',
      help: 'merge expired points into those above, or only let chains go that nothing needs',
    }),
    fold: given({
      ...choice('auto', 'always', 'never'),
      default: 'auto',
      help: 'whether an expired full is merged, too',
    }),
    grace: given({ ...duration, default: '24h', help: 'how long trash is kept' }),
    ...common,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['backup-chain prune --keep-last 7 --keep-weekly 4', 'the seven newest sets of each VM, and four weeks'],
    ['backup-chain prune -n shop/web --keep-within 30d', 'shows what would be done for one VM'],
    ['backup-chain prune --keep-daily 14 --strategy whole-chain', 'never rewrites: chains go as a whole'],
  ],
  run: async (call) => {
    const wish = { ...call.flags, policy: policyOf(call.flags) };
    const repo = await openRepository(call.host, rootOf(call));
    await every(call, { names: await vmsOf(call.host, repo, call.words) }, async (name) => {
      const pruned = pruneRecord(await prune(call, [repo, parsePlace(name)], wish));
      await call.emit(pruned, { text: pruneText(pruned), name: pruned.metadata.name });
    });
  },
});
