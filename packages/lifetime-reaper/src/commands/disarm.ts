import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { disarmed } from '../disarming.ts';
import { leasesFlag, leasesIn } from '../flags.ts';
import { pathOf, readLease, removeLease } from '../leases.ts';
import { rewrite } from '../rewriting.ts';
import { lineOf, recordOf } from '../view.ts';

export default verb({
  about: 'End a lifetime without its action; the deadline is kept as data. Twice is once.',
  words: [{ name: 'ID' }],
  flags: { remove: on('also remove the lease and its lock'), leases: leasesFlag },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5],
  examples: [
    ['lifetime-reaper disarm ci-42', 'nothing happens at its deadline'],
    ['lifetime-reaper disarm ci-42 --remove', 'leaves nothing of it'],
    ['lifetime-reaper disarm ci-42 -n', 'shows what would be written'],
  ],
  run: async (call) => {
    const [id = ''] = call.words;
    const leases = leasesIn(call);
    reading('ID', () => pathOf(leases, id));
    if ((await readLease(call.host, leases, id)) === null) {
      if (call.flags.remove) await removeLease(call.host, leases, id);
      return call.note(`${id}  has no lifetime`);
    }
    const next = await rewrite(call, { leases, id, verb: 'disarm' }, disarmed);
    if (call.flags.remove) await removeLease(call.host, leases, id);
    await call.emit(recordOf(next, call.now()), { text: lineOf(next, call.now()), name: id });
  },
});
