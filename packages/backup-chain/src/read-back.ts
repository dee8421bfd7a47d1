import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { source } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { sip } from '@platter/host/sip';
import { openLayer } from '@platter/qcow2/open';
import { digestBytes, sameDigest } from './digest.ts';
import { ChunkCache, Digests, verified } from './digests.ts';
import { clusterSize } from './layout.ts';
import { contentOf, type Link, type Stack, stackOf } from './stack.ts';

/** What was written is not what can be read. */
export const torn = (path: string, at: number): Failure =>
  new Failure('corrupt', `${path} does not read back as it was written, at offset ${at}`, {
    hint: 'the disk below the repository, or the memory of this machine, is not to be trusted',
  });

/** Every chunk of a file, past the page cache, against the digests it was written with. */
async function chunksAsWritten(link: Link, workers: number): Promise<void> {
  for await (const { count, at, sha256 } of sip(link.held, { workers })) {
    const first = (at[0] as number) / clusterSize;
    const expected = await (link.digests as Digests).read(first, count);
    if (sameDigest(sha256, expected)) continue;
    for (let n = 0; n < count; n += 1) {
      const part = [n * digestBytes, (n + 1) * digestBytes] as const;
      if (!sameDigest(sha256.subarray(...part), expected.subarray(...part)))
        throw torn(link.name, (first + n) * clusterSize);
    }
  }
}

export interface Written {
  data: string;
  digests: string;
  type: 'full' | 'incremental';
  workers: number;
}

/**
 * Reads finished files back past the page cache: each chunk is what was written, else 5. Gives the content digest of
 * what the chain on `parent` composes to with them.
 */
export async function readBack(host: Host, plan: Written, parent: Stack | null): Promise<string> {
  const data = await host.query(hold(plan.data, { direct: true }));
  const list = await host.query(hold(plan.digests));
  try {
    const digests = new Digests(source(list));
    const checked = verified({ source: source(data), digests, cache: new ChunkCache(), key: plan.data });
    const layer = await openLayer(checked, plan.type === 'full' ? 'full' : 'increment');
    const link: Link = { name: plan.data, held: data, layer, digests };
    await chunksAsWritten(link, plan.workers);
    return await contentOf(stackOf([...(parent?.links ?? []), link]));
  } finally {
    data.close();
    list.close();
  }
}
