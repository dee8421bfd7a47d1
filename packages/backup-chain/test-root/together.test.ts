import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { done, tool } from '../test/tool.ts';
import { Bench } from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

/** A machine on which something else happens right before the first data file is opened. */
function interrupted(meanwhile: () => Promise<unknown>): Host {
  const machine = local();
  let happened = false;
  const first = async (path: string) => {
    if (happened || !path.endsWith('.qcow2')) return;
    happened = true;
    await meanwhile();
  };
  return {
    dry: false,
    query: async (query) => {
      if (query.op === 'hold') await first(query.path);
      return machine.query(query);
    },
    change: (change) => machine.change(change),
  };
}

describe('a reader that read the manifests, and then everything is folded into the newest point', () => {
  const goal = join(bench.folder, 'beside');
  it.each([
    ['validate ADDR'],
    ['validate ADDR --level deep'],
    ['validate'],
    ['plan ADDR'],
    [`restore ADDR --file --to ${goal} --verify full`],
    [`export ADDR --flat ${goal}`],
  ])('%s goes on with what is there now', async (line) => {
    const f = bench.copy();
    rmSync(goal, { force: true });
    const words = line.split(' ').map((word) => (word === 'ADDR' ? `default/db/data@${f.ids[3]}` : word));
    const prune = () => done(['prune', '--repo', f.root, '--keep-last', '1', '--fold', 'always']);
    const { failure, records } = await tool([...words, '--repo', f.root], { host: interrupted(prune) });
    expect(failure).toBeNull();
    if (line.startsWith('plan')) expect(records).toMatchObject([{ links: 1 }]);
  });

  it('is told that a point is gone, and not that it is damaged', async () => {
    const f = bench.copy();
    const prune = () => done(['prune', '--repo', f.root, '--keep-last', '1', '--fold', 'always']);
    const words = ['restore', `default/db/data@${f.ids[1]}`, '--file', '--to', goal, '--repo', f.root];
    const { code, failure } = await tool(words, { host: interrupted(prune) });
    expect([code, failure?.message]).toEqual([3, expect.stringContaining('any more')]);
  });
});
