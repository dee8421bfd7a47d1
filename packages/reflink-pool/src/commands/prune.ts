import type { Call } from '@platter/command/call';
import { on, optional } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { chosen } from '../chosen.ts';
import { parsePolicy } from '../policy.ts';
import { lockFlags, openPool } from '../pool.ts';
import { asDefault, pruneAll } from '../prune-all.ts';
import type { PruneRecord } from '../records/space.ts';
import { pruneSummaryText, pruneText } from '../shown/prune.ts';
import { checkWords, volumeIn } from '../words.ts';

export default verb({
  about: 'Remove the revisions that retention lets go; without words those of all saved volumes.',
  words: [{ name: 'VOL', many: true, optional: true }],
  flags: {
    policy: optional({
      value: 'POLICY',
      parse: parsePolicy,
      help: "what is kept, instead of the volumes' own policies",
    }),
    save: on("with --policy: from now on; without words as the pool's, which volumes without one of their own have"),
    explain: on('say why each revision is kept or would go, and change nothing'),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool prune', 'all saved volumes, each by its policy'],
    ["reflink-pool prune dev/root --policy 'min=2d,daily=14,weekly=8' --explain", 'what that would do, and why'],
    ['reflink-pool prune --policy count=1,free=20G', 'also the last ones, the oldest first, until 20 GiB are free'],
  ],
  run: async (call) => {
    const { policy, save, explain } = call.flags;
    if (save && policy === undefined) throw new Invalid('--save belongs to --policy');
    const words = checkWords(await namesOf(call, volumeIn));
    const wish = { policy, save, explain };
    const pool = save && words.length === 0 ? await asDefault(await openPool(call), wish) : await openPool(call);
    const own = save && words.length === 0 ? { policy: undefined, save: false, explain } : wish;
    const said = (record: PruneRecord) => sayOne(call, record);
    const all = words.length === 0;
    const { summary, failure } = await pruneAll(pool, { ...own, names: await chosen(pool, words), all, said });
    const how = explain ? 'explained' : call.host.dry ? 'dry' : 'done';
    await call.emit(summary, { text: pruneSummaryText(summary, how) });
    if (failure !== null) throw failure;
  },
});

const sayOne = (call: Call<unknown>, record: PruneRecord) => {
  const name = record.action === 'remove' ? { name: `${record.volume}@${record.number}` } : {};
  return call.emit(record, { text: pruneText(record), ...name });
};
