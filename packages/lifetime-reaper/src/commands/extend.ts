import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { extended } from '../extending.ts';
import { leasesFlag, leasesIn, span } from '../flags.ts';
import { rewrite } from '../rewriting.ts';
import { lineOf, recordOf } from '../view.ts';

export default verb({
  about: 'Move the deadline: DURATION after the old one, or after now when that has passed.',
  words: [{ name: 'ID' }, { name: 'DURATION', optional: true }],
  flags: { 'to-ceiling': on('as far as its ceiling allows'), leases: leasesFlag },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5],
  examples: [
    ['lifetime-reaper extend ci-42 2h', 'two hours more'],
    ['lifetime-reaper extend ci-42 --to-ceiling', 'all that its ceiling allows'],
    ['lifetime-reaper extend ci-42 1d -n', 'shows what would be written'],
  ],
  run: async (call) => {
    const [id = '', said] = call.words;
    const toCeiling = call.flags['to-ceiling'];
    if ((said === undefined) !== toCeiling) throw new Failure('usage', 'say DURATION or --to-ceiling, one of the two');
    const by = said === undefined ? null : reading('DURATION', () => span.parse(said));
    const next = await rewrite(call, { leases: leasesIn(call), id, verb: 'extend' }, (last, moment) =>
      extended(last, by, moment),
    );
    await call.emit(recordOf(next, call.now()), { text: lineOf(next, call.now()), name: id });
  },
});
