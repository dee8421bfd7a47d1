import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { parseRun } from '../address.ts';
import { enter } from '../entering.ts';
import { mergeRun } from '../merging.ts';
import { openRepository } from '../repository.ts';
import { runIn } from '../resolving.ts';
import { common, rootOf } from '../root.ts';
import { mergedText } from '../telling.ts';

export default verb({
  about: 'Merge the points from one up to another into the latter; what it shows stays the same.',
  words: [{ name: 'NS/VM/DISK@FROM..TO' }],
  flags: { ...common },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain merge default/db/data@20260105T020000Z-90bd..latest', 'merges all since a point into the newest'],
    ['backup-chain merge -n shop/web/root@20260105..20260112', 'shows what would be done; ids can be shortened'],
    ['backup-chain trash list', 'shows where the merged points lie until they are purged'],
  ],
  run: async (call) => {
    const { flags, words } = call;
    const said = reading('NS/VM/DISK@FROM..TO', () => parseRun(words[0] as string));
    const repo = await openRepository(call.host, rootOf(call));
    const facts = await enter(call, repo, { ...said.to, wait: flags.wait });
    const merged = await mergeRun(call, { ...runIn(facts, said), facts, workers: flags.workers });
    await call.emit(merged, { text: mergedText(merged), name: merged.metadata.name });
  },
});
