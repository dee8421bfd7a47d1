import fc from 'fast-check';
import { it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { first, history, sources } from './law/deeds.ts';
import { Ground } from './law/ground.ts';
import { Run } from './law/run.ts';

/**
 * A pool on a real filesystem equals the model after every verb, and after a kill at any change equals one of the
 * states the model can be left in; whatever comes next goes on from there. What cannot be seen (a note that was
 * written or not) is kept apart as several worlds until the pool shows which one it was.
 */
/** On each of two filesystems: 500 histories in all. */
const tried = effort(250);

needs(
  'root',
  'xfs',
  'btrfs',
)('the law of a pool', () => {
  it.concurrent.for(['xfs', 'btrfs'] as const)(
    'on %s: it equals its model after every verb and every kill',
    { timeout: 3_600_000 },
    async (filesystem) => {
      await using folder = await mounted(filesystem);
      const ground = await Ground.at(folder.path);
      for (const [name, { bytes }] of Object.entries(sources)) await ground.store(name, bytes);
      const sum = { verbs: 0, kills: 0 };
      const law = fc.asyncProperty(history, async (deeds) => {
        await ground.clear();
        const run = new Run(ground, sum);
        for (const [index, deed] of [...first, ...deeds].entries()) if (deed !== null) await run.does(deed, index);
      });
      await fc.assert(law, tried);
      process.stderr.write(
        `${filesystem}: ${tried.numRuns} histories, ${sum.verbs} verbs, ${sum.kills} of them killed\n`,
      );
    },
  );
});
