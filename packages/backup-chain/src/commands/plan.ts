import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { extentRecords, planRecord, planText } from '../planning.ts';
import { looseFlags, repoFlag, waitFlag } from '../root.ts';
import { openSources } from '../sources.ts';

export default verb({
  about: 'Show what a restore would read and write, after the checks a restore begins with.',
  words: [{ name: 'ADDR', many: true }],
  flags: { extents: on('also one record for each run of the guest'), ...looseFlags, ...repoFlag, ...waitFlag },
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain plan shop/web/data@latest', 'shows how much each layer gives'],
    ['backup-chain plan shop/web/data@latest --extents -o json', 'shows every run'],
    ['backup-chain plan --files full.qcow2 inc1.qcow2', 'shows the same of loose files'],
  ],
  run: async (call) => {
    const { sources } = await openSources(call);
    for (const source of sources) {
      const plan = await planRecord(source);
      await call.emit(plan, { text: planText(plan), name: source.name });
      if (call.flags.extents) for await (const extent of extentRecords(source)) await call.emit(extent, {});
    }
  },
});
