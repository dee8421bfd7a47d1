import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { source } from '@platter/host/hold';
import { local } from '@platter/host/local';
import { hold } from '@platter/host/looks';
import { openLayer } from '@platter/qcow2/open';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainOf } from '../src/chain.ts';
import { clusterDigest } from '../src/digest.ts';
import { Digests } from '../src/digests.ts';
import { Draft } from '../src/draft.ts';
import { openChain } from '../src/opening.ts';
import { contentsOf } from '../src/proving.ts';
import { openRepository, readVm } from '../src/repository.ts';
import { contentOf, type Link, stackOf } from '../src/stack.ts';
import { cluster, stamp } from '../test/model.ts';
import { Bench, makeGrown } from './repository.ts';

const bench = new Bench();
const root = join(bench.folder, 'grown');
const host = local();
beforeAll(() => makeGrown(root));
afterAll(() => bench.dispose());

/** A file of a chain that holds these clusters, as another program than ours may have made it. */
async function link(size: number, clusters: readonly number[], version: number): Promise<Link> {
  const folder = mkdtempSync(join(bench.folder, 'link-'));
  const type = version === 0 ? ('full' as const) : ('incremental' as const);
  const [data, digests] = [join(folder, 'data'), join(folder, 'digests')];
  const draft = new Draft(host, { data, digests, virtualSize: size, type, workers: 1 });
  for (const one of clusters) {
    const bytes = stamp(one, version);
    bytes.fill(0, Math.max(0, Math.min(cluster, size - one * cluster)));
    draft.store(one, bytes, clusterDigest(bytes));
  }
  await draft.finish();
  draft.close();
  const [held, list] = [await host.query(hold(data)), await host.query(hold(digests))];
  const layer = await openLayer(source(held), type === 'full' ? 'full' : 'increment');
  return { name: data, held, layer, digests: new Digests(source(list)) };
}

describe('one walk up a chain', () => {
  it('gives what every point was captured with', async () => {
    const facts = await readVm(host, await openRepository(host, root), { namespace: 'default', vm: 'db' });
    const [disk] = facts.disks as [(typeof facts.disks)[number]];
    const leaf = disk.points.find(({ value }) => value?.sequence === 5)?.value?.id ?? '';
    const { links: points } = chainOf({ facts, disk }, leaf);
    const { links } = await openChain(host, disk, points);
    expect(await contentsOf(links, [true, true, false, true, true])).toEqual(
      points.map(({ contentSha256 }, n) => (n === 2 ? null : contentSha256)),
    );
    for (const { held } of links) held.close();
  });

  it('cuts a cluster that no file wrote again where the disk shrank inside it, also after it grew', async () => {
    const links = [
      await link(4 * cluster, [0, 1, 2, 3], 0),
      await link(2 * cluster + 512, [0], 1),
      await link(4 * cluster, [3], 2),
      await link(cluster, [], 3),
      await link(8200 * cluster, [8199], 4),
    ];
    const composed = links.map((_, n) => contentOf(stackOf(links.slice(0, n + 1))));
    expect(
      await contentsOf(
        links,
        links.map(() => true),
      ),
    ).toEqual(await Promise.all(composed));
    for (const { held } of links) held.close();
  });
});
