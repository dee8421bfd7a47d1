import { every } from '@platter/command/every';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { leasesFlag, leasesIn } from '../flags.ts';
import { ids, pathOf, readLease } from '../leases.ts';
import { unknown } from '../locked.ts';
import { recordOf, storyOf } from '../view.ts';

export default verb({
  about: 'Show lifetimes: state, deadline in UTC and local time, what is left. Without ID, all of them.',
  words: [{ name: 'ID', optional: true, many: true }],
  flags: { leases: leasesFlag },
  exits: [0, 1, 2, 3, 5, 7],
  examples: [
    ['lifetime-reaper status ci-42', 'one lifetime'],
    ['lifetime-reaper status', 'all lifetimes'],
    ['lifetime-reaper status -o json | jq -r "select(.due).id"', 'the ids that are due'],
  ],
  run: async (call) => {
    const leases = leasesIn(call);
    const said = await namesOf(call, ({ id }) => (typeof id === 'string' ? id : undefined));
    const names = call.words.length === 0 ? await ids(call.host, leases) : said;
    await every(call, { names }, async (id) => {
      reading('ID', () => pathOf(leases, id));
      const lifetime = await readLease(call.host, leases, id);
      if (lifetime === null) throw unknown(id);
      await call.emit(recordOf(lifetime, call.now()), { text: storyOf(lifetime, call.now()), name: id });
    });
  },
});
