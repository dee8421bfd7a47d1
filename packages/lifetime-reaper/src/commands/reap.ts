import type { Call } from '@platter/command/call';
import { every } from '@platter/command/every';
import { on } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { leasesFlag, leasesIn } from '../flags.ts';
import { byDeadline, type Leases, pathOf } from '../leases.ts';
import { reapOne } from '../reaping.ts';

export default verb({
  about:
    'Look at lifetimes and do what is due, decided from what is read now. To be called often: by cron, a timer or you.',
  words: [{ name: 'ID', optional: true, many: true }],
  flags: { all: on('every lifetime, the earliest deadline first'), leases: leasesFlag },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['lifetime-reaper reap ci-42', 'runs its command when it is due'],
    ['lifetime-reaper reap --all -q', 'what a cron line calls every minute'],
    ['lifetime-reaper reap --all -n', 'shows what would be done'],
  ],
  run: async (call) => {
    const leases = leasesIn(call);
    const names = await chosen(call, leases);
    for (const id of names) reading('ID', () => pathOf(leases, id));
    await every(call, { names, alike: true }, async (id) => {
      const result = await reapOne(call, leases, id);
      await call.emit(result, { text: `${id}  ${result.outcome}  ${result.reason}`, name: id });
    });
  },
});

async function chosen(call: Call<{ all: boolean }>, leases: Leases): Promise<string[]> {
  if (call.words.length > 0 === call.flags.all) throw new Failure('usage', 'say which ID, or --all');
  if (call.flags.all) return byDeadline(call.host, leases);
  return namesOf(call, ({ id }) => (typeof id === 'string' ? id : undefined));
}
